/** Pipelines: the kind `eval`, the accuracy of a model or of scalers with their templates. */
import { z } from 'zod';
import { checkEngine } from '../../engine/create.js';
import { evaluate } from '../evaluate.js';
import { onnxShape } from '../onnx-config.js';
import { commonShape } from '../schemas.js';
import { dataFiles } from './data-files.js';
import { defineKind, startInputs } from './kind.js';
import { measureTraining } from './measure.js';

export const evalKind = defineKind({
  // Not those of training, which do not change what is measured.
  schema: z.strictObject({ ...commonShape, ...onnxShape }),
  roles: { model: 'model', templates: 'templates', scalers: 'scalers' },
  ways: [['model'], ['templates', 'scalers']],
  onnx: ['model'],
  perTarget: 'inputs',
  prepare(config) {
    checkEngine(config.engine);
    return config;
  },
  outputs: () => ({}),
  dataFiles: ({ data }) => dataFiles(data, ['test']),
  run: ({ config, inputs }, context) => evaluate(startInputs(inputs), config, context),
  measure: measureTraining,
});
