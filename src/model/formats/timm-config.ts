/** timm's `config.json`: architecture, `model_args` and `pretrained_cfg`. */
import { z } from 'zod';
import { ModelError } from '../../base/errors.js';
import { INTERPOLATIONS } from '../../base/resize-choices.js';
import { quote } from '../../base/text.js';
import { MOST } from '../limits.js';
import type { Preprocess } from '../spec.js';
import { type Facts, namedOnly, numberedLabels, statedSizes } from './facts.js';
import { checkFields } from './json-file.js';
import { headsByName, refusedArchitecture } from './timm-architecture.js';
import { argsSchema, otherThanPlain, sizesOfArgs, type TimmArgs } from './timm-args.js';

const count = z.int().positive();
/** A list, or names by the number of the class. */
const names = z.union([z.array(z.string()), z.record(z.string(), z.string())]).nullish();
const schema = z.object({
  architecture: z.string(),
  num_classes: z.int().min(0).optional(),
  global_pool: z.string().nullish(),
  label_names: names,
  model_args: argsSchema.nullish(),
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

/** timm's own, for a configuration that does not say. */
const DEFAULT_CROP = 0.875;

/** Whether a config.json is timm's. */
export function isTimmConfig(config: Readonly<Record<string, unknown>>): boolean {
  return typeof config.architecture === 'string';
}

/** @throws ModelError naming the field that is wrong, or that asks for what this version cannot run. */
export function readTimmConfig(config: Readonly<Record<string, unknown>>, path: string): Facts {
  const fields = checkFields(schema, config, path);
  const { architecture, pretrained_cfg: pretrained } = fields;
  const args: TimmArgs = fields.model_args ?? {};
  const refuse = (name: string, value: unknown, known: string) =>
    new ModelError(
      `${path}: ${name} is ${quote(String(value))}, which this version cannot run; known: ${known}; name a checkpoint of that kind`,
    );
  const known = refusedArchitecture(architecture);
  if (known !== undefined) throw refuse('architecture', architecture, known);
  const other = otherThanPlain(args);
  if (other) throw refuse(`model_args.${other.name}`, describe(other.value), other.plain);
  const pool = args.global_pool ?? fields.global_pool ?? undefined;
  if (pool !== undefined && pool !== 'token' && pool !== 'avg') throw refuse('global_pool', pool, 'token, avg');
  const named = headsByName(architecture);
  const labels = fields.label_names ?? pretrained?.label_names ?? undefined;
  const input = pretrained?.input_size;
  const image = args.img_size ?? (input && ([input[1], input[2]] as const));
  return {
    from: path,
    library: 'timm',
    heads: args.num_heads,
    headsFrom: 'model_args.num_heads',
    impliedHeads: named && { ...named, from: `${path}: architecture ${architecture}` },
    image,
    pool,
    qkvBias: args.qkv_bias,
    labels: labels && (Array.isArray(labels) ? namedOnly(labels) : numberedLabels(labels, 'label_names', path)),
    ...preprocessOf(pretrained, image, path),
    sizes: [...statedSizes([['num_classes', 'classes', args.num_classes ?? fields.num_classes]]), ...sizesOfArgs(args)],
  };
}

function describe(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
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
