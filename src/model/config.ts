/** The `model:` block of a configuration, and the spec that it means. */
import { z } from 'zod';
import { ConfigError, ModelError } from '../base/errors.js';
import { MOST, sizeUpTo } from './limits.js';
import { PRESET_NAMES, PRESETS, type Preset } from './presets.js';
import { geometry, type ModelSpec, type Preprocess } from './spec.js';

const side = sizeUpTo(MOST.image);
const optional = <T extends z.ZodType>(schema: T) => schema.nullable().default(null);

/** Schema of the `model:` block; `resolveModel` makes a spec of it. */
export const modelSchema = z.strictObject({
  preset: optional(z.enum(PRESET_NAMES)).describe('sizes to start from'),
  image: optional(z.union([side, z.tuple([side, side])])).describe('side, or [height, width], in pixels'),
  patch: optional(side).describe('side of a patch, pixels'),
  channels: optional(sizeUpTo(MOST.channels)).describe('null = as the data'),
  depth: optional(sizeUpTo(MOST.depth)).describe('blocks'),
  width: optional(sizeUpTo(MOST.width)).describe('size of a token'),
  heads: optional(sizeUpTo(MOST.heads)).describe('attention heads'),
  mlp_ratio: z.number().positive().default(4).describe('hidden width of the MLP over width'),
  eps: z.number().positive().default(1e-6).describe('added to the variance in layer norms'),
  pool: z.enum(['token', 'avg']).default('token').describe('what the head sees: class token or mean of patch tokens'),
  class_token: z.boolean().default(true),
  distillation_token: z.boolean().default(false),
  register_tokens: sizeUpTo(MOST.registers, 0).default(0),
});

/** The checked `model:` block. */
export type ModelConfig = z.output<typeof modelSchema>;

/** What the data says about the model. */
export interface DataFacts {
  readonly channels: number;
  readonly classes: number;
  /** Height and width, pixels. */
  readonly image: readonly [number, number];
  readonly preprocess: Preprocess;
}

/**
 * @throws ConfigError when a size is missing, or sizes do not fit together or the data.
 */
export function resolveModel(config: ModelConfig, data: DataFacts): ModelSpec {
  const pick = (key: 'patch' | 'depth' | 'width' | 'heads'): number => {
    const value = sizeIn(config, key);
    if (value !== undefined) return value;
    throw new ConfigError(`model.${key}: is missing; give it, or a preset (${PRESET_NAMES.join(', ')})`);
  };
  const width = pick('width');
  const hidden = Math.round(width * config.mlp_ratio);
  if (hidden < 1) {
    throw new ConfigError(`model.mlp_ratio: ${config.mlp_ratio} of width ${width} leaves the MLP no unit; raise it`);
  }
  if (hidden > MOST.hidden) {
    throw new ConfigError(
      `model.mlp_ratio: ${config.mlp_ratio} of width ${width} makes an MLP of ${hidden} units, at most ${MOST.hidden}; lower it`,
    );
  }
  const spec: ModelSpec = {
    image: ownImage(config) ?? [...data.image],
    patch: pick('patch'),
    channels: config.channels ?? data.channels,
    depth: pick('depth'),
    width,
    heads: pick('heads'),
    hidden,
    classes: data.classes,
    eps: config.eps,
    pool: config.pool,
    final_norm: config.pool === 'avg' ? 'fc_norm' : 'norm',
    class_token: config.class_token,
    distillation_token: config.distillation_token,
    register_tokens: config.register_tokens,
    position_prefix: true,
    preprocess: data.preprocess,
  };
  try {
    geometry(spec);
  } catch (error) {
    if (error instanceof ModelError) throw new ConfigError(error.message);
    throw error;
  }
  checkFits(spec, data);
  return spec;
}

/** What is known about the data before it is opened. */
export type KnownFacts = { readonly [Key in 'channels' | 'classes' | 'image']?: DataFacts[Key] | undefined };

/**
 * Checks a `model:` block as far as it can be without the data; what is not known yet is taken to fit.
 *
 * @returns the model, right in depth, width, heads and hidden
 * @throws ConfigError as {@link resolveModel}.
 */
export function checkModel(config: ModelConfig, known: KnownFacts): ModelSpec {
  const patch = config.patch ?? presetOf(config).patch ?? 1;
  return resolveModel(config, {
    image: known.image ?? ownImage(config) ?? [patch, patch],
    channels: known.channels ?? config.channels ?? 1,
    classes: known.classes ?? 1,
    preprocess: { mean: [], std: [] },
  });
}

/** A size that a `model:` block gives, itself or by its preset. */
export function sizeIn(config: ModelConfig, key: 'patch' | 'depth' | 'width' | 'heads'): number | undefined {
  return config[key] ?? presetOf(config)[key];
}

function presetOf({ preset }: ModelConfig): Partial<Preset> {
  return preset === null ? {} : PRESETS[preset];
}

/** Height and width that the block itself names, pixels. */
function ownImage(config: ModelConfig): [number, number] | undefined {
  const image = config.image ?? presetOf(config).image;
  return typeof image === 'number' ? [image, image] : image;
}

const NEW_HEAD = 'change one of them, or give the model a new head for these classes: wave finetune';

/** How to speak of a model that does not fit. */
export interface Fitted {
  /** What the model is: `model` by default. */
  readonly role?: string;
  /** What to do about images of another size; default: `change one of them`. */
  readonly remedy?: string;
  /** Where the model is from; then a message names it, and how it gets another head. */
  readonly source?: string;
}

/** How images of a size that the patches of a model do not divide are brought to one that they do: the model's own. */
export function resizeRemedy({ image: [height, width], patch }: Pick<ModelSpec, 'image' | 'patch'>): string {
  const image = height === width ? `data.image=${height}` : `'data.image=[${height}, ${width}]'`;
  return `bring them to a multiple of ${patch}, such as --set ${image}`;
}

/** What to do about images of another size than those of a model that was read from `path`. */
export function convertRemedy(path: string, spec: ModelSpec, image: readonly [number, number]): string {
  const { patch } = spec;
  if (image.some((side) => side % patch !== 0)) {
    return `its patches of ${patch} do not divide that size: ${resizeRemedy(spec)}, or use another model`;
  }
  return `make one of that size: wave convert ${path} --image ${image.join('x')} --out FILE`;
}

/**
 * @throws ConfigError when the model expects other images or classes than the data has.
 */
export function checkFits(
  spec: ModelSpec,
  data: Omit<DataFacts, 'preprocess'>,
  { role = 'model', remedy, source }: Fitted = {},
): void {
  const refuse = (what: string, model: string | number, found: string | number, advice = 'change one of them') => {
    throw new ConfigError(`${source ?? role} and data: the ${role} has ${what} ${model}, the data ${found}; ${advice}`);
  };
  if (spec.channels !== data.channels) refuse('channels', spec.channels, data.channels);
  if (spec.classes !== data.classes) refuse('classes', spec.classes, data.classes, source && NEW_HEAD);
  if (spec.image[0] !== data.image[0] || spec.image[1] !== data.image[1]) {
    refuse('image size', spec.image.join('x'), data.image.join('x'), remedy);
  }
}
