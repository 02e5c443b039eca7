/** Multi-head scaled dot-product attention (Vaswani et al. 2017). */
import { type Tensor, tf } from '../engine/tf.js';
import { batchedMatMul, rowsFirst } from './matmul.js';

/**
 * `softmax(Q K^T / sqrt(head size)) V`. All tensors are stored tokens first, so that no operand has to be transposed:
 * the matrix products read them with a stride.
 *
 * @param query `[queries, batch, heads, head size]`
 * @param key `[tokens, batch, heads, head size]`
 * @param value `[tokens, batch, heads, head size]`
 * @returns `[queries, batch, heads, head size]`
 */
export function attention(query: Tensor, key: Tensor, value: Tensor): Tensor {
  const alpha = 1 / Math.sqrt(query.shape[3] as number);
  const op = tf.customGrad((...parameters) => {
    const [q, k, v, save] = parameters as [Tensor, Tensor, Tensor, (tensors: Tensor[]) => void];
    const scores = batchedMatMul(q, k, { rowsFirstA: true, rowsFirstB: true, transposeB: true, alpha });
    const weights = tf.softmax(scores);
    const out = rowsFirst(batchedMatMul(weights, v, { rowsFirstB: true }));
    save([q, k, v, weights, out]);
    return {
      value: out,
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [sq, sk, sv, p, o] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor];
        const dv = batchedMatMul(p, dy, { transposeA: true, rowsFirstB: true });
        const dp = batchedMatMul(dy, sv, { rowsFirstA: true, rowsFirstB: true, transposeB: true });
        // Row sums of p * dp equal those of o * dy (Dao et al. 2022, FlashAttention, appendix B), which is smaller.
        const along = tf.expandDims(tf.transpose(tf.sum(tf.mul(o, dy), -1), [1, 2, 0]), -1);
        const ds = tf.mul(p, tf.sub(dp, along));
        const dq = batchedMatMul(ds, sk, { rowsFirstB: true, alpha });
        const dk = batchedMatMul(ds, sq, { transposeA: true, rowsFirstB: true, alpha });
        return [rowsFirst(dq), rowsFirst(dk), rowsFirst(dv)];
      },
    };
  });
  return op(query, key, value);
}
