/**
 * What a template bank is: how wide its templates are, how many there are of each kind, and how they are laid out.
 * `W(l) = sum_t T_t (x) S_t(l)` with `T_t [w1, w2]` and scalers `S_t(l) [m1 / w1, m2 / w2]` (WAVE, arXiv 2406.17503).
 */
import { z } from 'zod';
import { ModelError } from '../base/errors.js';
import { elementCount } from '../base/shape.js';
import { MOST, sizeUpTo } from '../model/limits.js';
import { parameterShapes } from '../model/parameters.js';
import { type ModelSpec, modelSpecSchema } from '../model/spec.js';
import { type Axis, type Kind, modelKinds, parameterName } from './kinds.js';

/** Order of the Kronecker factors; the two differ by a fixed order of rows and columns. */
export const CONVENTIONS = ['template-outer', 'scaler-outer'] as const;

/**
 * Most templates of one kind. A bank is to be smaller than its ancestor, whose matrices a few dozen make; this many would
 * be of use only to blocks of more than 64 x 64 numbers, all different.
 */
export const MOST_TEMPLATES = 4096;

/** Schema of the sizes of a bank. */
export const templateLayoutSchema = z.strictObject({
  /** Width of the model that one template alone makes: every target's width is a multiple of it. */
  width: sizeUpTo(MOST.width),
  /** Templates of each of the four matrices of a block. */
  count: sizeUpTo(MOST_TEMPLATES),
  /** Templates of each other kind: biases, norms, tokens, embeddings, head. */
  small_count: sizeUpTo(MOST_TEMPLATES),
  /**
   * `template-outer`: `T (x) S` stretches every entry of a template into a block. `scaler-outer`: `S (x) T` lays scaled
   * copies of the template side by side.
   */
  kronecker: z.enum(CONVENTIONS),
});

/** Sizes of a bank, whatever model it is for. */
export type TemplateLayout = z.infer<typeof templateLayoutSchema>;
/** One of `CONVENTIONS`. */
export type Convention = (typeof CONVENTIONS)[number];

/** Stored as `wave.spec` of a `templates` artifact. */
export const bankSpecSchema = z.strictObject({
  /** The auxiliary model. A target has everything in common with it but depth, width, heads and hidden. */
  model: modelSpecSchema,
  templates: templateLayoutSchema,
});

/** A bank without its templates. */
export type BankSpec = z.infer<typeof bankSpecSchema>;

/** Blocks of template width side by side in a model: `width / template width`. */
export function blocksAcross(model: ModelSpec, layout: TemplateLayout): number {
  return model.width / layout.width;
}

/** Templates of a kind. */
function templateCount(kind: Kind, layout: TemplateLayout): number {
  return kind.isMatrix ? layout.count : layout.small_count;
}

/** Whether an axis is cut into blocks, each as long as the template's. */
export function isSplit({ role }: Axis): boolean {
  return role !== 'fixed';
}

/** One kind as it is in one model: shapes of tensor, template and scaler. */
export interface KindShape {
  readonly kind: Kind;
  /** Tensors of the kind in the model: its depth, or 1. */
  readonly layers: number;
  readonly count: number;
  /** Blocks on each split axis. */
  readonly blocks: number;
  /** Shape of one tensor of the model. */
  readonly full: readonly number[];
  /** Shape of one template. */
  readonly template: readonly number[];
  /** Shape of one scaler: one size per split axis. */
  readonly scaler: readonly number[];
}

/** All kinds of a model with their shapes. */
export function kindShapes(model: ModelSpec, layout: TemplateLayout): KindShape[] {
  const parameters = parameterShapes(model);
  const blocks = blocksAcross(model, layout);
  return modelKinds(model).map((kind) => {
    const full = parameters.get(parameterName(kind, 0)) as readonly number[];
    return {
      kind,
      layers: kind.perBlock ? model.depth : 1,
      count: templateCount(kind, layout),
      blocks,
      full,
      template: full.map((size, i) => (isSplit(kind.axes[i] as Axis) ? size / blocks : size)),
      scaler: kind.axes.filter(isSplit).map(() => blocks),
    };
  });
}

/** Name prefixes in states and artifacts. */
export const TEMPLATES = 'templates.';
export const SCALERS = 'scalers.';
/** Parameters of a target that no template makes: a head for other classes. */
export const OWN = 'own.';

/** Shapes `[count, ...template]` by name (`templates.KIND`). */
export function templateShapes(model: ModelSpec, layout: TemplateLayout): Map<string, readonly number[]> {
  const shapes = kindShapes(model, layout);
  return new Map(shapes.map(({ kind, count, template }) => [TEMPLATES + kind.name, [count, ...template]]));
}

/** Shapes `[layers, count, ...scaler]` by name (`scalers.KIND`); `layers` is 1 for kinds that are not in blocks. */
export function scalerShapes(model: ModelSpec, layout: TemplateLayout): Map<string, readonly number[]> {
  const shapes = kindShapes(model, layout);
  return new Map(shapes.map(({ kind, layers, count, scaler }) => [SCALERS + kind.name, [layers, count, ...scaler]]));
}

/** Numbers in all tensors of the given shapes. */
export function countNumbers(shapes: ReadonlyMap<string, readonly number[]>): number {
  let total = 0;
  for (const shape of shapes.values()) total += elementCount(shape);
  return total;
}

/**
 * Checks that a model can be made of templates of this width.
 *
 * @param role what the model is, for the message
 * @throws ModelError naming the widths that fit.
 */
export function checkLayout(model: ModelSpec, layout: TemplateLayout, role = 'auxiliary model'): void {
  const { width, hidden } = model;
  const fits = (candidate: number): boolean => width % candidate === 0 && hidden % (width / candidate) === 0;
  if (fits(layout.width)) return;
  const choices = Array.from({ length: width }, (_, i) => i + 1).filter(fits);
  const problem =
    width % layout.width !== 0
      ? `does not divide the ${role}'s width ${width}`
      : `cuts the ${role} into ${width / layout.width} blocks, which its MLP of ${hidden} units does not divide into`;
  throw new ModelError(`templates.width: ${layout.width} ${problem}; choose one of ${choices.join(', ')}`);
}
