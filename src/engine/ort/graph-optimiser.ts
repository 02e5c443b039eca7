/**
 * AdamW as tensor ops, for devices where the state should not be touched by the host: the graph takes values and
 * moments in and gives the next ones out. Same formulas as adamw.wat.
 */
import { type Scalar, type Tensor, tf } from '../tf.js';
import type { AdamWConstants, ParameterRule } from '../types.js';
import { STEP_SCALAR_COUNT } from './step-scalars.js';

/** Scalars of `stepScalars`, apart. */
export interface StepScalars {
  readonly learningRate: Tensor;
  readonly correction1: Tensor;
  readonly root: Tensor;
  readonly clipNorm: Tensor;
}

export function splitScalars(scalars: Tensor): StepScalars {
  const [learningRate, correction1, root, clipNorm] = tf.split(scalars, STEP_SCALAR_COUNT) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  return { learningRate, correction1, root, clipNorm };
}

/** 2-norm of all gradients together, a scalar. */
export function gradientNorm(gradients: readonly Tensor[]): Scalar {
  return tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient))))) as Scalar;
}

/** Factor that brings gradients of norm `norm` down to the largest allowed one. */
export function clipFactor(norm: Scalar, { clipNorm }: StepScalars): Tensor {
  return tf.minimum(1, tf.div(clipNorm, tf.maximum(norm, 1e-12)));
}

/** One parameter's next value and moments. */
export function adamw(
  { value, gradient, first, second }: { value: Tensor; gradient: Tensor; first: Tensor; second: Tensor },
  rule: ParameterRule,
  scalars: StepScalars,
  { beta1, beta2, epsilon }: AdamWConstants,
): { value: Tensor; first: Tensor; second: Tensor } {
  const rate = tf.mul(scalars.learningRate, rule.learningRateScale);
  const nextFirst = tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1));
  const nextSecond = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2));
  const denominator = tf.add(tf.div(tf.sqrt(nextSecond), scalars.root), epsilon);
  const change = tf.div(tf.mul(tf.div(rate, scalars.correction1), nextFirst), denominator);
  const kept = rule.weightDecay === 0 ? value : tf.mul(value, tf.sub(1, tf.mul(rate, rule.weightDecay)));
  return { value: tf.sub(kept, change), first: nextFirst, second: nextSecond };
}
