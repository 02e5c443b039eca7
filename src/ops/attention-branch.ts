/** The self-attention of a pre-norm transformer block: layer norm, attention of several heads, output projection. */
import { ATTENTION_BRANCH, ATTENTION_BRANCH_GRADIENT } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';
import { hasKernel, runKernel, runKernelMany } from './kernels.js';
import { layerNorm, type Norm } from './layer-norm.js';
import { type Linear, linear } from './linear.js';
import { type AttentionSizes, selfAttention } from './self-attention.js';

/**
 * `selfAttention(layerNorm(x)) W^T + b`.
 *
 * @param x `[tokens * batch, width]`, tokens first
 * @param qkv projections to query, key and value, one below the other: weight `[3 * width, width]`, bias `[3 * width]`
 * @param projection weight `[width, width]`, bias `[width]`
 * @returns `[queries * batch, width]`
 */
export function attentionBranch(x: Tensor, norm: Norm, qkv: Linear, projection: Linear, sizes: AttentionSizes): Tensor {
  if (!hasKernel(ATTENTION_BRANCH)) {
    const normal = layerNorm(x, norm.scale, norm.bias, norm.epsilon);
    return linear(selfAttention(normal, qkv.weight, qkv.bias, sizes), projection.weight, projection.bias);
  }
  const attributes = { epsilon: norm.epsilon, ...sizes };
  if (!tf.engine().isTapeOn()) {
    const given = { x, scale: norm.scale, shift: norm.bias, weight: qkv.weight, bias: qkv.bias };
    const parts = { projection: projection.weight, projectionBias: projection.bias };
    return runKernel(ATTENTION_BRANCH, { ...given, ...parts }, attributes);
  }
  const op = tf.customGrad((...parameters) => {
    const save = parameters.pop() as unknown as (tensors: Tensor[]) => void;
    const [input, scale, shift, weight, bias, out, outBias] = parameters as Tensor[];
    const given = { x: input, scale, shift, weight, bias, projection: out, projectionBias: outBias };
    const [y, ...kept] = runKernelMany(ATTENTION_BRANCH, given, { ...attributes, learning: 1 });
    save([scale, shift, weight, out, ...kept]);
    return {
      value: y,
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [sScale, sShift, sWeight, sOut, ...activations] = saved;
        const [normal, inverse, wq, wk, wv, valueBias, q, k, v, weights, attended, rows] = activations;
        const parts = { scale: sScale, shift: sShift, weight: sWeight, projection: sOut, wq, wk, wv };
        const forward = { normal, inverse, valueBias, q, k, v, weights, attended, rows };
        return runKernelMany(ATTENTION_BRANCH_GRADIENT, { dy, ...parts, ...forward }, { ...sizes });
      },
    };
  });
  return op(x, norm.scale, norm.bias, qkv.weight, qkv.bias, projection.weight, projection.bias);
}
