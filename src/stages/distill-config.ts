/** Settings of distillation: template bank, auxiliary model, the sizes that are trained, and the two losses. */
import { z } from 'zod';
import { ConfigError } from '../base/errors.js';
import { MOST, sizeUpTo } from '../model/limits.js';
import { geometry, type ModelSpec, type Preprocess } from '../model/spec.js';
import {
  CONVENTIONS,
  checkLayout,
  KD_TARGETS,
  MOST_TEMPLATES,
  REDUCTIONS,
  type TemplateLayout,
} from '../wave/index.js';
import { givenSizes } from './given-sizes.js';

const [depth, width] = [sizeUpTo(MOST.depth), sizeUpTo(MOST.width)];
const count = sizeUpTo(MOST_TEMPLATES);

export const templatesSchema = z.strictObject({
  width: width.nullable().default(null).describe("width of a template; null = the ancestor's head size"),
  count: count.default(8).describe('templates of each matrix of a block'),
  small_count: count.nullable().default(null).describe('templates of each other kind; null = three eighths of count'),
  kronecker: z.enum(CONVENTIONS).default('template-outer').describe('order of the factors'),
});

export const auxiliarySchema = z.strictObject({
  depth: depth.nullable().default(null).describe("null = the ancestor's"),
  width: width.nullable().default(null).describe("null = the ancestor's"),
  heads: sizeUpTo(MOST.heads).nullable().default(null).describe("null = as many as keep the ancestor's head size"),
  patch: sizeUpTo(MOST.image).nullable().default(null).describe("side of a patch, pixels; null = the ancestor's"),
});

export const sizesSchema = z.union([
  z.literal('auto'),
  z.array(
    z.strictObject({
      depth: z.union([depth, z.tuple([depth, depth])]).describe('blocks, or [least, most]'),
      width: z.union([width, z.tuple([width, width])]).describe('width, or [least, most]: the valid ones between'),
      heads: sizeUpTo(MOST.heads).optional().describe("default: as many as keep the auxiliary model's head size"),
    }),
  ),
]);

export const distillBlockSchema = z.strictObject({
  sizes: sizesSchema.default('auto').describe('trained besides the auxiliary model; [] = none'),
  share: z.number().min(0).max(1).default(0.67).describe('share of the steps that train those sizes'),
});

export const kdSchema = z.strictObject({
  weight: z.number().min(0).default(1).describe('of the divergence from the ancestor'),
  temperature: z.number().positive().default(1).describe('softens both distributions'),
  reduction: z.enum(REDUCTIONS).default('batchmean').describe('mean over images, or over images and classes'),
  target: z.enum(KD_TARGETS).default('soft').describe("the ancestor's distribution, or its decision"),
});

export const ceSchema = z.strictObject({
  weight: z.number().min(0).default(1).describe('of the cross-entropy against the labels'),
});

/** `kd:` of `fit`, where an ancestor may be missing. */
export const fitKdSchema = kdSchema.extend({
  weight: z.number().min(0).nullable().default(null).describe('null = 1 with an ancestor, 0 without'),
});

/** Blocks of `distill` that other stages do not have. */
export const distillShape = {
  templates: templatesSchema.prefault({}),
  auxiliary: auxiliarySchema.prefault({}),
  start: z
    .enum(['closed-form', 'random'])
    .nullable()
    .default(null)
    .describe('first templates and scalers; null = closed-form where the ancestor has weights, else random'),
  distill: distillBlockSchema.prefault({}),
  kd: kdSchema.prefault({}),
  ce: ceSchema.prefault({}),
};

/** What of the data decides the model that stands in for an ancestor without sizes. */
export interface ReferenceData {
  readonly channels: number;
  readonly classes: number;
  /** Height and width, pixels. */
  readonly image: readonly [number, number];
}

/** Hidden width of an MLP over the width of the model, where no ancestor gives it: that of ViT and DeiT. */
const MLP_RATIO = 4;
const EPSILON = 1e-6;

/**
 * What the sizes of a bank are measured by where the ancestor is no ViT: a plain ViT of the sizes in `auxiliary:`.
 *
 * @throws ConfigError naming the sizes that are missing, or that do not fit together.
 */
export function referenceModel(
  auxiliary: z.output<typeof auxiliarySchema>,
  { channels, classes, image }: ReferenceData,
): ModelSpec {
  const { depth, width, heads, patch } = checkOwnSizes(auxiliary);
  const spec: ModelSpec = {
    image: [...image],
    patch,
    channels,
    depth,
    width,
    heads,
    hidden: MLP_RATIO * width,
    classes,
    eps: EPSILON,
    pool: 'token',
    final_norm: 'norm',
    class_token: true,
    distillation_token: false,
    register_tokens: 0,
    position_prefix: true,
  };
  return givenSizes(() => {
    geometry(spec);
    return spec;
  }, 'auxiliary');
}

/** The sizes of the auxiliary model that are missing where no ancestor has them, in words; undefined when none is. */
export function missingSizes({ depth, width, heads, patch }: z.output<typeof auxiliarySchema>): string | undefined {
  const missing = Object.entries({ depth, width, heads, patch }).flatMap(([name, value]) =>
    value === null ? [`auxiliary.${name}`] : [],
  );
  if (missing.length === 0) return undefined;
  return (
    `${missing.join(', ')}: ${missing.length === 1 ? 'is' : 'are'} missing; an ONNX ancestor has no sizes that the ` +
    'auxiliary model could take over'
  );
}

/** @throws ConfigError as {@link missingSizes} says. */
export function checkOwnSizes(auxiliary: z.output<typeof auxiliarySchema>) {
  const { depth, width, heads, patch } = auxiliary;
  if (depth !== null && width !== null && heads !== null && patch !== null) return { depth, width, heads, patch };
  throw new ConfigError(missingSizes(auxiliary) ?? 'auxiliary: sizes are missing');
}

/** The bank's layout for an ancestor. */
export function resolveLayout(
  { width, count, small_count, kronecker }: z.output<typeof templatesSchema>,
  ancestor: ModelSpec,
): TemplateLayout {
  return {
    width: width ?? ancestor.width / ancestor.heads,
    count,
    small_count: small_count ?? Math.max(1, Math.floor((count * 3) / 8)),
    kronecker,
  };
}

/**
 * The auxiliary model: the ancestor in another size, if one is given, on the pixels of the data.
 *
 * @throws ConfigError when its sizes do not fit together, or templates of this layout cannot make it.
 */
export function resolveAuxiliary(
  { depth, width, heads }: z.output<typeof auxiliarySchema>,
  ancestor: ModelSpec,
  layout: TemplateLayout,
  preprocess: Preprocess,
): ModelSpec {
  const ownWidth = width ?? ancestor.width;
  const hidden = (ancestor.hidden / ancestor.width) * ownWidth;
  if (!Number.isInteger(hidden)) {
    const ratio = ancestor.hidden / ancestor.width;
    throw new ConfigError(
      `auxiliary.width: ${ownWidth} times the ancestor's MLP ratio of ${ratio} is no whole number; choose another width`,
    );
  }
  const headSize = ancestor.width / ancestor.heads;
  const ownHeads = heads ?? ownWidth / headSize;
  if (!Number.isInteger(ownHeads) || ownWidth % ownHeads !== 0) {
    throw new ConfigError(
      heads === null
        ? `auxiliary.width: ${ownWidth} is no multiple of the ancestor's head size ${headSize}; change it or give auxiliary.heads`
        : `auxiliary.heads: ${heads} does not divide width ${ownWidth}; choose a divisor`,
    );
  }
  const spec = { ...ancestor, depth: depth ?? ancestor.depth, width: ownWidth, heads: ownHeads, hidden, preprocess };
  return givenSizes(() => {
    geometry(spec);
    checkLayout(spec, layout);
    return spec;
  });
}
