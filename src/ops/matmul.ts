/** Matrix products that the named ops are built of: one operator where the backend has a kernel for it, plain tfjs ops elsewhere. */
import { BATCHED_MATMUL, GEMM } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';
import { hasKernel, runKernel } from './kernels.js';

/** How the operands of a product are stored and what it is multiplied by. */
export interface ProductOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly alpha?: number;
}

/** `alpha * op(a) op(b) + c` of matrices `a`, `b` and a row or matrix `c`. */
export function gemm(a: Tensor, b: Tensor, options: ProductOptions = {}, c?: Tensor): Tensor {
  const { transposeA = false, transposeB = false, alpha = 1 } = options;
  if (hasKernel(GEMM)) return runKernel(GEMM, c ? { a, b, c } : { a, b }, { transposeA, transposeB, alpha });
  const product = tf.matMul(a, b, transposeA, transposeB);
  const scaled = alpha === 1 ? product : tf.mul(product, alpha);
  return c ? tf.add(scaled, c) : scaled;
}

/** Operands of `batchedMatMul` may be stored rows first: `[rows, ...batch, columns]`. */
export interface BatchedProductOptions extends ProductOptions {
  readonly rowsFirstA?: boolean;
  readonly rowsFirstB?: boolean;
}

/**
 * `alpha * op(a) op(b)` over batches of matrices.
 *
 * @param a, b `[...batch, rows, columns]`, or `[rows, ...batch, columns]` where the option says so; of rank 4.
 * @returns `[...batch, rows, columns]`
 */
export function batchedMatMul(a: Tensor, b: Tensor, options: BatchedProductOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, rowsFirstA = false, rowsFirstB = false, alpha = 1 } = options;
  if (hasKernel(BATCHED_MATMUL)) {
    return runKernel(BATCHED_MATMUL, { a, b }, { transposeA, transposeB, rowsFirstA, rowsFirstB, alpha });
  }
  const [left, right] = [rowsFirstA ? batchFirst(a) : a, rowsFirstB ? batchFirst(b) : b];
  const product = tf.matMul(left, right, transposeA, transposeB);
  return alpha === 1 ? product : tf.mul(product, alpha);
}

/** `[rows, batch, heads, columns]` as `[batch, heads, rows, columns]`. */
export function batchFirst(x: Tensor): Tensor {
  return tf.transpose(x, [1, 2, 0, 3]);
}

/** `[batch, heads, rows, columns]` as `[rows, batch, heads, columns]`. */
export function rowsFirst(x: Tensor): Tensor {
  return tf.transpose(x, [2, 0, 1, 3]);
}
