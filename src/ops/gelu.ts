/** Exact GELU (Hendrycks & Gimpel 2016): `x * Phi(x)`, Phi the standard normal distribution function. */
import { GELU, NORMAL_CDF } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';
import { hasOwnKernels, runKernel } from './kernels.js';

/** 1 / sqrt(2 pi): the standard normal density at 0. */
const DENSITY_AT_ZERO = 1 / Math.sqrt(2 * Math.PI);

/** Phi(x). */
function normalCdf(x: Tensor): Tensor {
  const scaled = tf.mul(x, Math.SQRT1_2);
  if (hasOwnKernels()) return runKernel(NORMAL_CDF, { x: scaled });
  return tf.mul(tf.add(tf.erf(scaled), 1), 0.5);
}

/** GELU of every element; any shape. */
export function gelu(x: Tensor): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [input, save] = parameters as [Tensor, (tensors: Tensor[]) => void];
    save([input]);
    return {
      value: hasOwnKernels() ? runKernel(GELU, { x: input }) : tf.mul(input, normalCdf(input)),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const savedInput = saved[0] as Tensor;
        // d/dx x Phi(x) = Phi(x) + x phi(x)
        const density = tf.exp(tf.mul(tf.square(savedInput), -0.5));
        const slope = tf.add(normalCdf(savedInput), tf.mul(tf.mul(savedInput, density), DENSITY_AT_ZERO));
        return tf.mul(dy, slope);
      },
    };
  });
  return op(x);
}
