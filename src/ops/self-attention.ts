/** Multi-head self-attention over the rows of a batch, projections included (Vaswani et al. 2017). */
import { type Tensor, tf } from '../engine/tf.js';
import { batchedMatMul, gemm, rowsFirst } from './matmul.js';

/** Sizes that the matrices do not tell. */
export interface AttentionSizes {
  readonly batch: number;
  readonly heads: number;
  /** Tokens, counted from the first, that attend; all are attended to. */
  readonly queries: number;
}

/** Everything the backward pass needs. */
interface Forward {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly weights: Tensor;
  readonly out: Tensor;
}

/**
 * `softmax(Q K^T / sqrt(head size)) V` with `[Q; K; V] = x W^T + b`. Rows are stored tokens first, so that the matrix
 * products read Q, K and V with a stride and no operand has to be transposed.
 *
 * @param x `[tokens * batch, width]`, tokens first
 * @param weight `[3 * width, width]`: query, key and value projection, one below the other
 * @param bias `[3 * width]`
 * @returns `[queries * batch, width]`, heads side by side
 */
export function selfAttention(x: Tensor, weight: Tensor, bias: Tensor, sizes: AttentionSizes): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [input, w, b, save] = parameters as [Tensor, Tensor, Tensor, (tensors: Tensor[]) => void];
    const { q, k, v, weights, out } = forward(input, w, b, sizes);
    save([input, w, q, k, v, weights, out]);
    return { value: flat(out), gradFunc: (dy: Tensor, saved: Tensor[]) => tf.tidy(() => backward(dy, saved, sizes)) };
  });
  return op(x, weight, bias);
}

/** `[tokens, batch, heads, head size]` as `[tokens * batch, width]`. */
function flat(x: Tensor): Tensor {
  const [tokens, batch, heads, size] = x.shape as [number, number, number, number];
  return tf.reshape(x, [tokens * batch, heads * size]);
}

function firstRows(x: Tensor, rows: number): Tensor {
  return rows === x.shape[0] ? x : tf.slice(x, [0, 0], [rows, x.shape[1] as number]);
}

function scaleOf(q: Tensor): number {
  return 1 / Math.sqrt(q.shape[3] as number);
}

function forward(x: Tensor, weight: Tensor, bias: Tensor, { batch, heads, queries }: AttentionSizes): Forward {
  const width = x.shape[1] as number;
  const [wq, wk, wv] = tf.split(weight, 3, 0) as [Tensor, Tensor, Tensor];
  const [bq, bk, bv] = tf.split(bias, 3, 0) as [Tensor, Tensor, Tensor];
  const project = (rows: Tensor, w: Tensor, b: Tensor): Tensor => {
    const projected = tf.add(gemm(rows, w, { transposeB: true }), b);
    return tf.reshape(projected, [(rows.shape[0] as number) / batch, batch, heads, width / heads]);
  };
  const q = project(firstRows(x, queries * batch), wq, bq);
  const [k, v] = [project(x, wk, bk), project(x, wv, bv)];
  const scores = batchedMatMul(q, k, { rowsFirstA: true, rowsFirstB: true, transposeB: true, alpha: scaleOf(q) });
  const weights = tf.softmax(scores);
  return { q, k, v, weights, out: rowsFirst(batchedMatMul(weights, v, { rowsFirstB: true })) };
}

/** @returns gradients of x, weight and bias */
function backward(dy: Tensor, saved: Tensor[], { batch, queries }: AttentionSizes): Tensor[] {
  const [x, weight, q, k, v, p, out] = saved as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const alpha = scaleOf(q);
  const dOut = tf.reshape(dy, out.shape);
  const dv = batchedMatMul(p, dOut, { transposeA: true, rowsFirstB: true });
  const dp = batchedMatMul(dOut, v, { rowsFirstA: true, rowsFirstB: true, transposeB: true });
  // Row sums of p * dp equal those of out * dOut (Dao et al. 2022, FlashAttention, appendix B), which are smaller.
  const along = tf.expandDims(tf.transpose(tf.sum(tf.mul(out, dOut), -1), [1, 2, 0]), -1);
  const ds = tf.mul(p, tf.sub(dp, along));
  const dq = batchedMatMul(ds, k, { rowsFirstB: true, alpha });
  const dk = batchedMatMul(ds, q, { transposeA: true, rowsFirstB: true, alpha });
  const joined = (...parts: Tensor[]): Tensor => flat(rowsFirst(tf.concat(parts, 1)));
  const gradients = (d: Tensor, rows: Tensor, w: Tensor): [Tensor, Tensor, Tensor] => [
    gemm(d, w),
    gemm(d, rows, { transposeA: true }),
    tf.sum(d, 0),
  ];
  if (queries * batch === x.shape[0]) return gradients(joined(dq, dk, dv), x, weight);
  const width = x.shape[1] as number;
  const [wq, wkv] = tf.split(weight, [width, 2 * width], 0) as [Tensor, Tensor];
  const fromQueries = gradients(joined(dq), firstRows(x, queries * batch), wq);
  const fromTokens = gradients(joined(dk, dv), x, wkv);
  const missing = (x.shape[0] as number) - queries * batch;
  const padded = tf.pad(fromQueries[0], [
    [0, missing],
    [0, 0],
  ]);
  return [
    tf.add(fromTokens[0], padded),
    tf.concat([fromQueries[1], fromTokens[1]], 0),
    tf.concat([fromQueries[2], fromTokens[2]], 0),
  ];
}
