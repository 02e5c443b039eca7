/** Layer normalisation (Ba, Kiros & Hinton 2016). */
import { LAYER_NORM } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';
import { hasKernel, runKernelMany } from './kernels.js';

/** Scale and shift of a layer normalisation, and what is added to the variance. */
export interface Norm {
  /** `[width]` */
  readonly scale: Tensor;
  /** `[width]` */
  readonly bias: Tensor;
  readonly epsilon: number;
}

interface Normalised {
  readonly y: Tensor;
  readonly mean: Tensor;
  readonly inverse: Tensor;
}

function forward(x: Tensor, scale: Tensor, bias: Tensor, epsilon: number): Normalised {
  if (hasKernel(LAYER_NORM)) {
    const [y, mean, inverse] = runKernelMany(LAYER_NORM, { x, scale, bias }, { epsilon }) as [Tensor, Tensor, Tensor];
    return { y, mean, inverse };
  }
  const mean = tf.mean(x, -1, true);
  const centred = tf.sub(x, mean);
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
  return { y: tf.add(tf.mul(tf.mul(centred, inverse), scale), bias), mean, inverse };
}

/**
 * Normalises the last axis to mean 0 and variance 1, then scales and shifts it.
 *
 * @param x `[rows, width]`
 * @param scale `[width]`
 * @param bias `[width]`
 * @param epsilon added to the variance
 * @returns `[rows, width]`
 */
export function layerNorm(x: Tensor, scale: Tensor, bias: Tensor, epsilon: number): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [input, gamma, beta, save] = parameters as [Tensor, Tensor, Tensor, (tensors: Tensor[]) => void];
    const { y, mean, inverse } = forward(input, gamma, beta, epsilon);
    save([input, gamma, mean, inverse]);
    return {
      value: y,
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => {
          const [savedInput, savedGamma, savedMean, savedInverse] = saved as [Tensor, Tensor, Tensor, Tensor];
          const normal = tf.mul(tf.sub(savedInput, savedMean), savedInverse);
          const d = tf.mul(dy, savedGamma);
          // dx = (d - mean(d) - normal * mean(d * normal)) / sigma, means over the last axis.
          const along = tf.mean(tf.mul(d, normal), -1, true);
          const rest = tf.sub(tf.sub(d, tf.mean(d, -1, true)), tf.mul(normal, along));
          return [tf.mul(rest, savedInverse), tf.sum(tf.mul(dy, normal), 0), tf.sum(dy, 0)];
        }),
    };
  });
  return op(x, scale, bias);
}
