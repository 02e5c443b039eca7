/** Pipelines: the kind `pretrain`, for ancestors and, with `each: targets`, for the from-scratch rows of comparisons. */
import { ConfigError } from '../../base/errors.js';
import { type ModelConfig, sizeIn } from '../../model/config.js';
import { checkPretrain, pretrain, pretrainSchema } from '../pretrain.js';
import { dataFiles } from './data-files.js';
import { defineKind, type Target } from './kind.js';
import { measureTraining } from './measure.js';

export const pretrainKind = defineKind({
  schema: pretrainSchema,
  roles: {},
  ways: [],
  perTarget: 'optional',
  prepare(config, { target }) {
    const prepared = target === undefined ? config : { ...config, model: modelOf(config.model, target) };
    checkPretrain(prepared);
    return prepared;
  },
  foresee: (config) => ({ model: checkPretrain(config) }),
  outputs: () => ({ model: 'model.safetensors' }),
  dataFiles: ({ data }) => dataFiles(data, ['train', 'test']),
  run: ({ config, dir, resume }, context) => pretrain(config, { dir, force: !resume, resume }, context),
  measure: measureTraining,
});

/** The model of the stage in the size of a target. Heads that the target does not name keep the size of a head. */
function modelOf(model: ModelConfig, target: Target): ModelConfig {
  const { depth, width } = target;
  return { ...model, depth, width, heads: target.heads ?? headsOf(model, target) };
}

function headsOf(model: ModelConfig, { name, width }: Target): number {
  const [ownWidth, ownHeads] = [sizeIn(model, 'width'), sizeIn(model, 'heads')];
  if (ownWidth === undefined || ownHeads === undefined) {
    throw new ConfigError(`heads of target ${name} are not known; give heads:, or a model: with width and heads`);
  }
  const heads = (width * ownHeads) / ownWidth;
  if (Number.isInteger(heads)) return heads;
  throw new ConfigError(
    `width ${width} of target ${name} is no multiple of the head size ${ownWidth / ownHeads}; give it heads:`,
  );
}
