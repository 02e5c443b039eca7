/** Pipelines: the kind `fit`, which trains the scalers of a target. */
import { z } from 'zod';
import { checkFit, fitSchema, fit as fitTarget } from '../fit.js';
import { dataFiles } from './data-files.js';
import { ancestorHeads, defineKind } from './kind.js';
import { measureTraining } from './measure.js';

export const fitKind = defineKind({
  schema: z.strictObject({ ...fitSchema.shape, ancestor_heads: ancestorHeads }),
  roles: { templates: 'templates', scalers: 'scalers', ancestor: 'model' },
  ways: [['templates', 'scalers']],
  onnx: ['ancestor'],
  perTarget: 'inputs',
  prepare(config, { inputs }) {
    checkFit(config, { ancestor: inputs.has('ancestor') ? 'ancestor' : undefined });
    return config;
  },
  outputs: () => ({ scalers: 'scalers.safetensors', model: 'model.safetensors' }),
  dataFiles: ({ data }) => dataFiles(data, ['train', 'test']),
  run({ config: { ancestor_heads, ...config }, inputs, dir, resume }, context) {
    const { templates, scalers, ancestor } = inputs;
    const files = { templates: templates as string, scalers: scalers as string, ancestor };
    return fitTarget(
      config,
      { ...files, heads: ancestor_heads ?? undefined },
      { dir, force: !resume, resume },
      context,
    );
  },
  measure: measureTraining,
});
