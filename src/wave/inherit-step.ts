/** Inheritance of scalers in tensor operations, so that it can be part of a training step. */
import { type Tensor, tf } from '../engine/tf.js';
import type { ModelSpec } from '../model/spec.js';
import { SCALERS, type TemplateLayout } from './bank.js';
import { type InheritedKind, inheritance, scalersOf } from './inherit.js';

/**
 * Scalers of a target; gradients flow to those of the auxiliary model.
 *
 * @param scalers `scalers.KIND` of the auxiliary model, `[layers, count, ...scaler]`
 * @returns the same of the target
 * @throws ModelError when a kind has no scalers, as for the head of a model that has one of its own.
 */
export function inheritInStep(
  auxiliary: ModelSpec,
  target: ModelSpec,
  layout: TemplateLayout,
  scalers: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> {
  const inherited = new Map<string, Tensor>();
  for (const kind of inheritance(auxiliary, target, layout)) {
    inherited.set(SCALERS + kind.target.kind.name, inheritKind(kind, scalersOf(scalers, kind.source)));
  }
  return inherited;
}

function inheritKind({ source, target, layers, factor }: InheritedKind, scalers: Tensor): Tensor {
  const { count } = source;
  let current = scalers;
  if (!isIdentity(layers)) {
    const mixed = tf.matMul(tf.tensor2d(layers as number[][]), tf.reshape(current, [source.layers, -1]));
    current = tf.reshape(mixed, [target.layers, count, ...source.scaler]);
  }
  // Scalers have one or two axes of blocks; the last one is chosen from, then turned to the front of the pair.
  for (let axis = 0; axis < source.scaler.length && source.blocks !== target.blocks; axis++) {
    const lead = current.size / source.blocks;
    const chosen = tf.matMul(
      tf.reshape(current, [lead, source.blocks]),
      tf.tensor2d(selection(source.blocks, target.blocks)),
    );
    if (source.scaler.length === 1) {
      current = tf.reshape(chosen, [target.layers, count, target.blocks]);
    } else {
      const other = lead / (target.layers * count);
      current = tf.transpose(tf.reshape(chosen, [target.layers, count, other, target.blocks]), [0, 1, 3, 2]);
    }
  }
  return factor === 1 ? current : tf.mul(current, factor);
}

/** `[from, to]`: column `b` picks block `b mod from`. */
function selection(from: number, to: number): number[][] {
  return Array.from({ length: from }, (_, row) =>
    Array.from({ length: to }, (_, column) => Number(column % from === row)),
  );
}

function isIdentity(rows: readonly (readonly number[])[]): boolean {
  return rows.every((row, i) => row.length === rows.length && row[i] === 1);
}
