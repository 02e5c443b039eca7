/** Pipelines: the kind `init`, one file for each target, by any method of initialisation. */
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '../../base/errors.js';
import { checkedOptions, findMethod, type Inputs, METHODS, type Method, planTarget } from '../../init/index.js';
import { checkMaterialise, initTarget } from '../init.js';
import { scalersBeside } from '../init-inputs.js';
import { ancestorHeads, defineKind, type Foreseen, type Target } from './kind.js';
import { measureTraining } from './measure.js';
import type { Source } from './tasks.js';

/** The method that makes scalers; the others make models. */
const WAVE = 'wave';

const schema = z.strictObject({
  method: z
    .enum(METHODS.map(({ name }) => name))
    .default(WAVE)
    .describe('how to initialise'),
  options: z.record(z.string(), z.unknown()).default({}).describe('of the method, which checks them'),
  materialise: z.boolean().default(false).describe('write weights where the method would write scalers'),
  ancestor_heads: ancestorHeads,
  seed: z.int().min(0).default(0),
});
type InitConfig = z.output<typeof schema>;

export const initKind = defineKind({
  schema,
  roles: { templates: 'templates', scalers: 'scalers', ancestor: 'model' },
  ways: [['templates'], ['templates', 'scalers'], ['ancestor']],
  perTarget: 'always',
  implied: impliedScalers,
  async prepare(config, { target, inputs }) {
    const method = await findMethod(config.method).load();
    checkInputs(config, method, inputs);
    checkMaterialise(config.method, method, config.materialise, 'materialise');
    const options = checkedOptions(config.method, method, config.options);
    const known = foreseenInputs(method, inputs);
    if (known !== undefined && target !== undefined) planTarget(config.method, method, known, target);
    return { ...config, options };
  },
  outputs,
  dataFiles: () => [],
  run({ config, target, inputs, dir }, context) {
    const { method, options, materialise, seed, ancestor_heads } = config;
    const { depth, width, heads } = target as Target;
    const size = { depth, width, ...(heads === undefined ? {} : { heads }) };
    const hints = ancestor_heads === null ? {} : { ancestorHeads: ancestor_heads };
    const path = join(dir, ...Object.values(outputs(config)));
    return initTarget(
      { method, options, materialise, seed, ...size, ...hints, ...inputs },
      { path, force: true },
      context,
    );
  },
  measure: measureTraining,
});

function outputs({ method, materialise }: InitConfig) {
  return method === WAVE && !materialise ? { scalers: 'scalers.safetensors' } : { model: 'model.safetensors' };
}

/**
 * The scalers that templates come with: those of the stage that makes both, or of the file beside them. They decide what is
 * inherited, and how large random scalers are.
 */
function impliedScalers({ method, options }: InitConfig, inputs: ReadonlyMap<string, Source>): Map<string, Source> {
  const templates = inputs.get('templates');
  if (method !== WAVE || templates === undefined || inputs.has('scalers')) return new Map();
  if (templates.type === 'stage') {
    const { kind, config } = templates.stage;
    return new Map(kind.outputs(config).scalers === undefined ? [] : [['scalers', templates]]);
  }
  const path = scalersBeside(templates.path);
  const missing =
    `start inherit needs the auxiliary model's scalers, and there is no ${path}; ` +
    'name them with scalers:, or choose options: { start: random }';
  return new Map([['scalers', { type: 'file', path, missing: options.start === 'random' ? null : missing }]]);
}

/** @throws ConfigError when the method starts from something else. */
function checkInputs({ method: name }: InitConfig, { needs }: Method, inputs: ReadonlyMap<string, unknown>): void {
  if (needs !== 'nothing' && !inputs.has(needs)) {
    throw new ConfigError(`method ${name} starts from ${needs}:, found ${[...inputs.keys()].join(' and ')}:`);
  }
  if (needs !== 'templates' && inputs.has('scalers')) {
    throw new ConfigError(`method ${name} reads no scalers; leave scalers: out`);
  }
}

/** What the method will start from, without values, as far as it is known. */
function foreseenInputs({ needs: need }: Method, inputs: ReadonlyMap<string, Foreseen>): Inputs | undefined {
  const bank = inputs.get('templates')?.bank;
  const model = inputs.get('ancestor')?.model ?? bank?.model;
  if (model === undefined) return undefined;
  if (need === 'ancestor') return { need, model, values: new Map() };
  if (need === 'nothing') return { need, model };
  return bank && { need, model, bank, templates: new Map(), scalers: undefined };
}
