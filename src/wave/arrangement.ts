/** In which order the entries of a product of scalers and templates form a weight. */
import { type Convention, isSplit, type KindShape } from './bank.js';
import type { Axis } from './kinds.js';

/**
 * Order of a model's channels.
 *
 * - `standard`: that of the weights in a checkpoint.
 * - `blocked`: residual and hidden channels block after block, whatever the convention. The model computes the same,
 *   since every tensor has the same order and nothing but attention heads depends on it; its weights are copied in
 *   runs as long as the template is wide instead of a few numbers at a time.
 */
export type Arrangement = 'standard' | 'blocked';

export interface Order {
  /** Shape of the product: one size per scaler axis, then the template's axes, with groups apart where needed. */
  readonly from: readonly number[];
  /** Axes of `from` in the order of the weight's. */
  readonly permutation: readonly number[];
}

/** How to put the product of one kind in order. */
export function arrange(shape: KindShape, convention: Convention, arrangement: Arrangement): Order {
  const { kind, template, scaler } = shape;
  const from = [...scaler];
  const permutation: number[] = [];
  let split = 0;
  kind.axes.forEach((axis, i) => {
    const size = template[i] as number;
    if (!isSplit(axis)) {
      permutation.push(from.push(size) - 1);
    } else if (isBlockwise(axis, convention, arrangement)) {
      const groups = axis.groups > 1 ? [from.push(axis.groups) - 1] : [];
      permutation.push(...groups, split++, from.push(size / axis.groups) - 1);
    } else {
      permutation.push(from.push(size) - 1, split++);
    }
  });
  return { from, permutation };
}

/** Whether channel `block * template width + i` belongs to template entry `i`; else it is `i * blocks + block`. */
export function isBlockwise(axis: Axis, convention: Convention, arrangement: Arrangement): boolean {
  return convention === 'scaler-outer' || (arrangement === 'blocked' && axis.role !== 'heads');
}
