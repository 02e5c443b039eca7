/** Exact GELU (Hendrycks & Gimpel 2016): `x * Phi(x)`, Phi the standard normal distribution function. */
import { GELU } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';
import { hasKernel, runKernel } from './kernels.js';

/** 1 / sqrt(2 pi): the standard normal density at 0. */
const DENSITY_AT_ZERO = 1 / Math.sqrt(2 * Math.PI);

/**
 * Keeps `x` away from 0, where `GELU(x) / x` has no value. Added to anything above 1e-22 in size it changes nothing, and
 * no sum of ordinary numbers is exactly its negative.
 */
const OFFSET = 1.234567e-30;

/** GELU of every element; any shape. */
export function gelu(x: Tensor): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [input, save] = parameters as [Tensor, (tensors: Tensor[]) => void];
    const shifted = tf.add(input, OFFSET);
    const y = hasKernel(GELU) ? runKernel(GELU, { x: shifted }) : tf.mul(shifted, normalCdf(shifted));
    save([shifted, y]);
    return {
      value: y,
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => {
          const [sx, sy] = saved as [Tensor, Tensor];
          // d/dx x Phi(x) = Phi(x) + x phi(x), with Phi(x) from what the forward pass has computed: y / x.
          const density = tf.exp(tf.mul(tf.square(sx), -0.5));
          const slope = tf.add(tf.div(sy, sx), tf.mul(tf.mul(density, sx), DENSITY_AT_ZERO));
          return tf.mul(slope, dy);
        }),
    };
  });
  return op(x);
}

/** Phi(x) = (1 + erf(x / sqrt(2))) / 2. */
function normalCdf(x: Tensor): Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}
