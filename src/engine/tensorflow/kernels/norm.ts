/**
 * Layer normalisation and the linear layer behind it. Its scale and shift are put into the layer's weight and bias, which
 * saves the passes over the activations that they would cost, forward and backward; the weight is small.
 */
import type { Scratch, Value } from '../scratch.js';

/** Rows with mean 0 and variance 1, `[rows, width]`, and 1 / standard deviation of the originals, `[rows, 1]`. */
export interface Normalised {
  readonly normal: Value;
  readonly inverse: Value;
}

/** @param x `[rows, width]` */
export function normalise(scratch: Scratch, x: Value, epsilon: number): Normalised {
  const centred = scratch.sub(x, scratch.mean(x));
  const variance = scratch.mean(scratch.last(scratch.plain('Square', centred)));
  const inverse = scratch.plain('Rsqrt', scratch.add(variance, scratch.number(epsilon)));
  return { normal: scratch.mul(scratch.last(centred), inverse), inverse };
}

/** Gradient of what was normalised. @param dy that of the normalised rows, which is freed */
export function normaliseGradient(scratch: Scratch, dy: Value, { normal, inverse }: Normalised): Value {
  // dx = (dy - mean(dy) - y * mean(dy * y)) / sigma, means over the last axis.
  const along = scratch.mul(normal, scratch.mean(scratch.last(scratch.mul(dy, normal))));
  const centre = scratch.mean(dy);
  const rest = scratch.sub(scratch.last(scratch.sub(scratch.last(dy), centre)), scratch.last(along));
  return scratch.mul(scratch.last(rest), inverse);
}

/** Scale and shift of a layer norm `[width]`, weight `[out, width]` and bias `[out]` of the linear layer behind it. */
export interface NormLinear {
  readonly scale: Value;
  readonly shift: Value;
  readonly weight: Value;
  readonly bias: Value;
}

/**
 * Weight and bias of the linear layer that does the same to normalised rows.
 *
 * @param factor number that the layer's results are multiplied by
 */
export function fold(
  scratch: Scratch,
  { scale, shift, weight, bias }: NormLinear,
  factor?: Value,
): { weight: Value; bias: Value } {
  const by = (vector: Value) => (factor === undefined ? vector : scratch.mul(vector, factor));
  const sum = scratch.add(bias, timesVector(scratch, weight, shift));
  return { weight: scratch.mul(weight, by(scale)), bias: by(sum) };
}

/**
 * Gradients of what was folded.
 *
 * @param dWeight, dBias those of the folded weight and bias
 * @param factor as it was folded
 */
export function unfold(
  scratch: Scratch,
  { scale, shift, weight }: Omit<NormLinear, 'bias'>,
  dWeight: Value,
  dBias: Value,
  factor?: Value,
): { dScale: Value; dShift: Value; dWeight: Value; dBias: Value } {
  const by = (vector: Value) => (factor === undefined ? vector : scratch.mul(vector, factor));
  const dSum = by(dBias);
  return {
    dScale: by(scratch.columnSums(scratch.last(scratch.mul(dWeight, weight)))),
    dShift: vectorTimes(scratch, dSum, weight),
    dWeight: scratch.add(scratch.last(scratch.mul(dWeight, by(scale))), scratch.last(outer(scratch, dSum, shift))),
    dBias: dSum,
  };
}

/** `[rows, columns]` and `[columns]` to `[rows]` */
export function timesVector(scratch: Scratch, matrix: Value, vector: Value): Value {
  const product = scratch.matMul(matrix, scratch.reshape(vector, [-1, 1]));
  return scratch.reshape(product, [-1]);
}

/** `[rows]` and `[rows, columns]` to `[columns]` */
export function vectorTimes(scratch: Scratch, vector: Value, matrix: Value): Value {
  return scratch.reshape(scratch.matMul(scratch.reshape(vector, [1, -1]), matrix), [-1]);
}

/** `[rows]` and `[columns]` to `[rows, columns]` */
export function outer(scratch: Scratch, a: Value, b: Value): Value {
  return scratch.mul(scratch.reshape(a, [-1, 1]), b);
}
