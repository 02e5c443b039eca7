/** Pipelines: the kind `finetune`, training of a model that is given, or of one made of templates and scalers. */
import { checkFinetune, finetune, finetuneSchema } from '../finetune.js';
import { dataFiles } from './data-files.js';
import { defineKind, startInputs } from './kind.js';
import { measureTraining } from './measure.js';

export const finetuneKind = defineKind({
  schema: finetuneSchema,
  roles: { model: 'model', templates: 'templates', scalers: 'scalers' },
  ways: [['model'], ['templates', 'scalers']],
  perTarget: 'inputs',
  prepare(config) {
    checkFinetune(config);
    return config;
  },
  outputs: () => ({ model: 'model.safetensors' }),
  dataFiles: ({ data }) => dataFiles(data, ['train', 'test']),
  run({ config, inputs, dir, resume }, context) {
    return finetune(config, startInputs(inputs), { dir, force: !resume, resume }, context);
  },
  measure: measureTraining,
});
