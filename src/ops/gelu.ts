/** Exact GELU (Hendrycks & Gimpel 2016): `x * Phi(x)`, Phi the standard normal distribution function. */
import { GELU, NORMAL_CDF } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';
import { hasOwnKernels, runKernel } from './kernels.js';

const INVERSE_SQRT_PI = 1 / Math.sqrt(Math.PI);

/** Phi(u sqrt(2)) = (1 + erf(u)) / 2. */
function normalCdf(u: Tensor): Tensor {
  if (hasOwnKernels()) return runKernel(NORMAL_CDF, { x: u });
  return tf.mul(tf.add(tf.erf(u), 1), 0.5);
}

/** GELU of every element; any shape. */
export function gelu(x: Tensor): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [input, save] = parameters as [Tensor, (tensors: Tensor[]) => void];
    save([input]);
    return {
      value: hasOwnKernels() ? runKernel(GELU, { x: input }) : tf.mul(input, normalCdf(tf.mul(input, Math.SQRT1_2))),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const savedInput = saved[0] as Tensor;
        // d/dx x Phi(x) = Phi(x) + x phi(x). With u = x / sqrt(2), x phi(x) = u / exp(u^2) / sqrt(pi): the division does
        // for free what negating the exponent would cost. exp overflows to infinity where the quotient is 0 anyway.
        const u = tf.mul(savedInput, Math.SQRT1_2);
        const tail = tf.mul(tf.div(u, tf.exp(tf.square(u))), INVERSE_SQRT_PI);
        return tf.mul(dy, tf.add(normalCdf(u), tail));
      },
    };
  });
  return op(x);
}
