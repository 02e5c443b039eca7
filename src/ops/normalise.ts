/**
 * Layer normalisation without its scale and shift, and the linear layer behind it that takes them over. On a backend that
 * computes op by op this saves the passes over the activations that scale and shift would cost, forward and backward; the
 * weight is small.
 */
import { type Tensor, tf } from '../engine/tf.js';

/** Scale and shift of a layer normalisation, and what is added to the variance. */
export interface Norm {
  /** `[width]` */
  readonly scale: Tensor;
  /** `[width]` */
  readonly bias: Tensor;
  readonly epsilon: number;
}

/**
 * Last axis to mean 0 and variance 1.
 *
 * @param x `[rows, width]`
 * @returns `[rows, width]`
 */
export function normalise(x: Tensor, epsilon: number): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [input, save] = parameters as [Tensor, (tensors: Tensor[]) => void];
    const centred = tf.sub(input, tf.mean(input, -1, true));
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
    const normal = tf.mul(centred, inverse);
    save([normal, inverse]);
    return {
      value: normal,
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => {
          const [y, factor] = saved as [Tensor, Tensor];
          // dx = (dy - mean(dy) - y * mean(dy * y)) / sigma, means over the last axis.
          const along = tf.mul(y, tf.mean(tf.mul(dy, y), -1, true));
          return tf.mul(tf.sub(tf.sub(dy, tf.mean(dy, -1, true)), along), factor);
        }),
    };
  });
  return op(x);
}

/**
 * Weight and bias of `factor * ((normal * scale + shift) W^T + b)` as a linear layer of `normal`.
 *
 * @param weight `[out, in]`
 * @param bias `[out]`
 * @returns weight `[out, in]` and bias `[out]`
 */
export function foldNorm({ scale, bias: shift }: Norm, weight: Tensor, bias: Tensor, factor = 1) {
  const [out, width] = weight.shape as [number, number];
  const times = (x: Tensor): Tensor => (factor === 1 ? x : tf.mul(x, factor));
  const shifted = tf.reshape(tf.matMul(weight, tf.reshape(shift, [width, 1])), [out]);
  return { weight: tf.mul(weight, times(scale)), bias: times(tf.add(bias, shifted)) };
}
