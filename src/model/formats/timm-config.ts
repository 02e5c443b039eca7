/** timm's `config.json`: architecture, `model_args` and `pretrained_cfg`. */
import { z } from 'zod';
import { ModelError } from '../../base/errors.js';
import { INTERPOLATIONS } from '../../base/resize-choices.js';
import { MOST } from '../limits.js';
import type { Preprocess } from '../spec.js';
import { type Facts, namedOnly, statedSizes } from './facts.js';
import { checkFields, sides } from './json-file.js';

const count = z.int().positive();
/** A list, or names by the number of the class. */
const names = z.union([z.array(z.string()), z.record(z.string(), z.string())]).nullish();
const schema = z.object({
  architecture: z.string(),
  num_classes: z.int().min(0).optional(),
  global_pool: z.string().nullish(),
  label_names: names,
  model_args: z
    .object({
      img_size: sides.nullish(),
      patch_size: sides.nullish(),
      in_chans: count.optional(),
      num_classes: z.int().min(0).optional(),
      embed_dim: count.optional(),
      depth: count.optional(),
      num_heads: count.optional(),
      global_pool: z.string().optional(),
      qkv_bias: z.boolean().optional(),
      act_layer: z.string().nullish(),
      pool_include_prefix: z.boolean().optional(),
    })
    .nullish(),
  pretrained_cfg: z
    .object({
      input_size: z.tuple([count, count, count]).optional(),
      interpolation: z.string().optional(),
      crop_pct: z.number().positive().nullish(),
      crop_mode: z.string().nullish(),
      mean: z.array(z.number()).optional(),
      std: z.array(z.number().positive()).optional(),
      label_names: names,
    })
    .nullish(),
});
type TimmConfig = z.output<typeof schema>;

/** Heads and width of the plain ViTs by the size in timm's names: one that was made with another width has other heads. */
const SIZES: Readonly<Record<string, readonly [heads: number, width: number]>> = {
  tiny: [3, 192],
  small: [6, 384],
  base: [12, 768],
  large: [16, 1024],
  huge: [16, 1280],
  giant: [16, 1408],
  gigantic: [16, 1664],
};
const SIZE_IN_NAME = /^(?:vit|deit|deit3)_([a-z]+)(?:_|$)/;
/** Architectures whose MLP has another activation than the exact GELU, by a part of their names. */
const OTHER_ACTIVATIONS =
  /quickgelu|^vit_(?:base_patch32|so400m_patch16|giantopt_patch16)_siglip|^vit_large_patch16_siglip_(?:gap_)?512/;
/** timm's own, for a configuration that does not say. */
const DEFAULT_CROP = 0.875;

/** Whether a config.json is timm's. */
export function isTimmConfig(config: Readonly<Record<string, unknown>>): boolean {
  return typeof config.architecture === 'string';
}

/** @throws ModelError naming the field that is wrong, or that asks for what this version cannot run. */
export function readTimmConfig(config: Readonly<Record<string, unknown>>, path: string): Facts {
  const fields = checkFields(schema, config, path);
  const { architecture, model_args: args, pretrained_cfg: pretrained } = fields;
  const refuse = (name: string, value: string, known: string) =>
    new ModelError(`${path}: ${name} is ${JSON.stringify(value)}, which this version cannot run; known: ${known}`);
  const activation = args?.act_layer;
  if (activation && activation !== 'gelu') throw refuse('model_args.act_layer', activation, 'gelu');
  if (OTHER_ACTIVATIONS.test(architecture)) throw refuse('architecture', architecture, 'models with the exact GELU');
  if (args?.pool_include_prefix) throw refuse('model_args.pool_include_prefix', 'true', 'false');
  const pool = args?.global_pool ?? fields.global_pool ?? undefined;
  if (pool !== undefined && pool !== 'token' && pool !== 'avg') throw refuse('global_pool', pool, 'token, avg');
  const [, size] = SIZE_IN_NAME.exec(architecture) ?? [];
  const [heads, width] = SIZES[size ?? ''] ?? [];
  const labels = fields.label_names ?? pretrained?.label_names ?? undefined;
  const input = pretrained?.input_size;
  const image = args?.img_size ?? (input && ([input[1], input[2]] as const));
  return {
    from: path,
    library: 'timm',
    heads: args?.num_heads,
    headsFrom: 'model_args.num_heads',
    named: heads && width ? { from: `architecture ${architecture}`, heads, width } : undefined,
    image,
    pool,
    qkvBias: args?.qkv_bias,
    labels: labels && namedOnly(Array.isArray(labels) ? labels : Object.values(labels)),
    ...preprocessOf(pretrained, image, path),
    sizes: statedSizes([
      ['model_args.embed_dim', 'width', args?.embed_dim],
      ['model_args.depth', 'depth', args?.depth],
      ['model_args.patch_size', 'patch', args?.patch_size?.[0]],
      ['model_args.in_chans', 'channels', args?.in_chans],
      ['num_classes', 'classes', args?.num_classes ?? fields.num_classes],
    ]),
  };
}

/** timm resizes the shorter side to `floor(side / crop_pct)` and crops the centre; `squash` resizes both sides so. */
function preprocessOf(
  pretrained: TimmConfig['pretrained_cfg'],
  image: readonly [number, number] | undefined,
  path: string,
): Pick<Facts, 'preprocess' | 'notes'> {
  const { mean, std, interpolation, crop_mode: mode } = pretrained ?? {};
  if (mean === undefined || std === undefined) return {};
  const known = INTERPOLATIONS.find((each) => each === interpolation);
  const crop = pretrained?.crop_pct ?? DEFAULT_CROP;
  const resize = image && ([Math.floor(image[0] / crop), Math.floor(image[1] / crop)] as [number, number]);
  if (resize?.some((side) => side < 1 || side > MOST.image)) {
    throw new ModelError(
      `${path}: pretrained_cfg.crop_pct ${crop} resizes images to ${resize.join('x')} pixels, 1 to ${MOST.image} a side ` +
        'are possible; correct the file',
    );
  }
  const isKnownMode = mode === undefined || mode === null || mode === 'center' || mode === 'squash';
  const preprocess: Preprocess = {
    mean,
    std,
    ...(known && { interpolation: known }),
    ...(resize && isKnownMode && { resize }),
    ...(image && isKnownMode && { resize_mode: mode === 'squash' ? ('squash' as const) : ('shortest' as const) }),
  };
  const notes = [
    ...(interpolation !== undefined && !known ? [`interpolation ${interpolation} is not known; bicubic is used`] : []),
    ...(isKnownMode ? [] : [`crop_mode ${mode} is not known; images are resized to cover the input`]),
  ];
  return { preprocess, notes };
}
