/** The MLP of a pre-norm transformer block: layer norm, linear layer, exact GELU, linear layer. */
import { MLP_BRANCH, MLP_BRANCH_GRADIENT } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';
import { gelu } from './gelu.js';
import { hasKernel, runKernel, runKernelMany } from './kernels.js';
import { layerNorm, type Norm } from './layer-norm.js';
import { type Linear, linear } from './linear.js';

/**
 * `gelu(layerNorm(x) W1^T + b1) W2^T + b2`.
 *
 * @param x `[rows, width]`
 * @param first weight `[hidden, width]`, bias `[hidden]`
 * @param second weight `[width, hidden]`, bias `[width]`
 * @returns `[rows, width]`
 */
export function mlpBranch(x: Tensor, norm: Norm, first: Linear, second: Linear): Tensor {
  if (!hasKernel(MLP_BRANCH)) {
    const normal = layerNorm(x, norm.scale, norm.bias, norm.epsilon);
    return linear(gelu(linear(normal, first.weight, first.bias)), second.weight, second.bias);
  }
  const attributes = { epsilon: norm.epsilon };
  if (!tf.engine().isTapeOn()) {
    const given = { x, scale: norm.scale, shift: norm.bias, w1: first.weight, b1: first.bias };
    return runKernel(MLP_BRANCH, { ...given, w2: second.weight, b2: second.bias }, attributes);
  }
  const op = tf.customGrad((...parameters) => {
    const save = parameters.pop() as unknown as (tensors: Tensor[]) => void;
    const [input, scale, shift, w1, b1, w2, b2] = parameters as Tensor[];
    const given = { x: input, scale, shift, w1, b1, w2, b2 };
    const [y, ...kept] = runKernelMany(MLP_BRANCH, given, { ...attributes, learning: 1 });
    save([scale, shift, w1, ...kept]);
    return {
      value: y,
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [sScale, sShift, sw1, normal, inverse, slope, hidden, folded1, folded2] = saved;
        const weights = { scale: sScale, shift: sShift, w1: sw1, first: folded1, second: folded2 };
        return runKernelMany(MLP_BRANCH_GRADIENT, { dy, ...weights, normal, inverse, slope, hidden });
      },
    };
  });
  return op(x, norm.scale, norm.bias, first.weight, first.bias, second.weight, second.bias);
}
