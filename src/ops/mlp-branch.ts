/** The MLP of a pre-norm transformer block: layer norm, linear layer, exact GELU, linear layer. */
import { type Tensor, tf } from '../engine/tf.js';
import { gelu } from './gelu.js';
import { fusesOps } from './kernels.js';
import { layerNorm } from './layer-norm.js';
import { linear } from './linear.js';
import { foldNorm, type Norm, normalise } from './normalise.js';

/** Weight `[out, in]` and bias `[out]` of a linear layer. */
export interface Linear {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/**
 * `gelu(layerNorm(x) W1^T + b1) W2^T + b2`.
 *
 * @param x `[rows, width]`
 * @returns `[rows, width]`
 */
export function mlpBranch(x: Tensor, norm: Norm, first: Linear, second: Linear): Tensor {
  if (fusesOps()) {
    const normal = layerNorm(x, norm.scale, norm.bias, norm.epsilon);
    return linear(gelu(linear(normal, first.weight, first.bias)), second.weight, second.bias);
  }
  // With v = u / sqrt(2): gelu(u) = v (1 + erf(v)) / sqrt(2). Both factors go into the weights.
  const folded = foldNorm(norm, first.weight, first.bias, Math.SQRT1_2);
  const hidden = gate(linear(normalise(x, norm.epsilon), folded.weight, folded.bias));
  return linear(hidden, tf.mul(second.weight, Math.SQRT1_2), second.bias);
}

/** log(2 / sqrt(pi)): the derivative of erf at 0. */
const LOG_SLOPE = Math.log(2 / Math.sqrt(Math.PI));

/** `v (1 + erf(v))` */
function gate(x: Tensor): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [v, save] = parameters as [Tensor, (tensors: Tensor[]) => void];
    const open = tf.add(tf.erf(v), 1);
    save([v, open]);
    return {
      value: tf.mul(v, open),
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => {
          const [sv, sopen] = saved as [Tensor, Tensor];
          // d/dv v (1 + erf(v)) = 1 + erf(v) + v * 2 / sqrt(pi) * exp(-v^2)
          const slope = tf.mul(sv, tf.exp(tf.sub(LOG_SLOPE, tf.square(sv))));
          return tf.mul(tf.add(sopen, slope), dy);
        }),
    };
  });
  return op(x);
}
