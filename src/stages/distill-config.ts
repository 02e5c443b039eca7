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
});

export const sizesSchema = z.union([
  z.literal('auto'),
  z.array(
    z.strictObject({
      depth: z.union([depth, z.tuple([depth, depth])]).describe('blocks, or [least, most]'),
      width: z.union([width, z.tuple([width, width])]).describe('width, or [least, most]: the valid ones between'),
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
  start: z.enum(['closed-form', 'random']).default('closed-form').describe('first templates and scalers'),
  distill: distillBlockSchema.prefault({}),
  kd: kdSchema.prefault({}),
  ce: ceSchema.prefault({}),
};

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
 * @throws ConfigError when its sizes do not fit together; ModelError when templates of this layout cannot make it.
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
  geometry(spec);
  checkLayout(spec, layout);
  return spec;
}
