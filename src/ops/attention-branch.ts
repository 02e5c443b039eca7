/** The self-attention of a pre-norm transformer block: layer norm, attention of several heads, output projection. */
import { type Tensor, tf } from '../engine/tf.js';
import { fusesOps } from './kernels.js';
import { layerNorm } from './layer-norm.js';
import { linear } from './linear.js';
import { batchFirst, rowsFirst } from './matmul.js';
import type { Linear } from './mlp-branch.js';
import { foldNorm, type Norm, normalise } from './normalise.js';
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
  if (fusesOps()) {
    const normal = layerNorm(x, norm.scale, norm.bias, norm.epsilon);
    return linear(selfAttention(normal, qkv.weight, qkv.bias, sizes), projection.weight, projection.bias);
  }
  const { batch, heads, queries } = sizes;
  const [rows, width] = x.shape as [number, number];
  const normal = normalise(x, norm.epsilon);
  const asked = queries * batch === rows ? normal : tf.slice(normal, [0, 0], [queries * batch, width]);
  const [wq, wk, wv] = tf.split(qkv.weight, 3, 0) as [Tensor, Tensor, Tensor];
  const [bq, , bv] = tf.split(qkv.bias, 3, 0) as [Tensor, Tensor, Tensor];
  const query = foldNorm(norm, wq, bq, Math.sqrt(heads / width));
  // A key's bias adds the same number to all scores of a query, which its softmax does not see. That of a value goes
  // through unchanged, as the weights of a query sum to 1, and meets the projection.
  const value = foldNorm(norm, wv, bv);
  const split = (y: Tensor): Tensor => tf.reshape(y, [-1, batch, heads, width / heads]);
  const attended = attend(
    split(linear(asked, query.weight, query.bias)),
    split(linear(normal, tf.mul(wk, norm.scale))),
    split(linear(normal, value.weight)),
  );
  const passed = tf.reshape(tf.matMul(projection.weight, tf.reshape(value.bias, [width, 1])), [width]);
  return linear(tf.reshape(attended, [-1, width]), projection.weight, tf.add(projection.bias, passed));
}

/**
 * `softmax(q k^T) v` for every sample and head.
 *
 * @param query `[queries, batch, heads, head size]`, already scaled
 * @param key, value `[tokens, batch, heads, head size]`
 * @returns `[queries, batch, heads, head size]`
 */
function attend(query: Tensor, key: Tensor, value: Tensor): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [q, k, v, save] = parameters as [Tensor, Tensor, Tensor, (tensors: Tensor[]) => void];
    const [qb, kb, vb] = [batchFirst(q), batchFirst(k), batchFirst(v)];
    const weights = tf.softmax(tf.matMul(qb, kb, false, true));
    const attended = tf.matMul(weights, vb);
    save([qb, kb, vb, weights, attended]);
    return {
      value: rowsFirst(attended),
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => {
          const [sq, sk, sv, p, out] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor];
          const dOut = batchFirst(dy);
          const dv = tf.matMul(p, dOut, true, false);
          const dp = tf.matMul(dOut, sv, false, true);
          // Row sums of p * dp equal those of out * dOut (Dao et al. 2022, FlashAttention, appendix B), which are smaller.
          const ds = tf.mul(p, tf.sub(dp, tf.sum(tf.mul(out, dOut), -1, true)));
          return [tf.matMul(ds, sk), tf.matMul(ds, sq, true, false), dv].map(rowsFirst);
        }),
    };
  });
  return op(query, key, value);
}
