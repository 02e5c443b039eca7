/** Pipelines: the kind `distill`, which makes a template bank of an ancestor. */
import { z } from 'zod';
import { checkDistill, distill, distillSchema } from '../distill.js';
import { resolveAuxiliary, resolveLayout } from '../distill-config.js';
import { distilledModels } from '../distill-sizes.js';
import { dataFiles } from './data-files.js';
import { ancestorHeads, defineKind, numberIn } from './kind.js';
import { measureTraining } from './measure.js';

export const distillKind = defineKind({
  schema: z.strictObject({ ...distillSchema.shape, ancestor_heads: ancestorHeads }),
  roles: { ancestor: 'model' },
  ways: [['ancestor']],
  perTarget: 'inputs',
  onnx: ['ancestor'],
  prepare(config, { inputs }) {
    const ancestor = inputs.get('ancestor')?.file;
    checkDistill(config, ancestor === undefined ? {} : { ancestor });
    return config;
  },
  foresee({ templates, auxiliary, data, distill: { sizes } }, { inputs }) {
    const ancestor = inputs.get('ancestor')?.model;
    if (ancestor === undefined) return {};
    const layout = resolveLayout(templates, ancestor);
    const { mean, std } = data;
    const bank = { model: resolveAuxiliary(auxiliary, ancestor, layout, { mean, std }), templates: layout };
    distilledModels(sizes, bank);
    return { bank };
  },
  outputs: () => ({ templates: 'templates.safetensors', scalers: 'scalers.safetensors' }),
  dataFiles: ({ data }) => dataFiles(data, ['train', 'test']),
  run({ config: { ancestor_heads, ...config }, inputs, dir, resume }, context) {
    const ancestor = { ancestor: inputs.ancestor as string, heads: ancestor_heads ?? undefined };
    return distill(config, ancestor, { dir, force: !resume, resume }, context);
  },
  measure(results) {
    const [parameters, ofAncestor] = [numberIn(results, 'templateParameters'), numberIn(results, 'templateShare')];
    return {
      ...measureTraining(results),
      ...(parameters === undefined ? {} : { parameters }),
      ...(ofAncestor === undefined ? {} : { ofAncestor }),
    };
  },
});
