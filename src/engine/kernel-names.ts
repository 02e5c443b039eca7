/**
 * Names of the kernels that the suite adds to tfjs for its named ops (src/ops). The `trace` backend has them; where a
 * backend lacks one, the op composes plain tfjs ops instead.
 */

/** `alpha * op(a) op(b) + c` of matrices. Inputs a, b, optional c; attributes transposeA, transposeB, alpha. */
export const GEMM = 'WaveGemm';
/**
 * `alpha * op(a) op(b)` over batches of matrices. Attributes transposeA, transposeB, alpha, and rowsFirstA, rowsFirstB
 * for operands stored as `[rows, ...batch, columns]`.
 */
export const BATCHED_MATMUL = 'WaveBatchedMatMul';
/** Layer normalisation over the last axis. Inputs x, scale, bias; outputs y, mean, 1/standard deviation. */
export const LAYER_NORM = 'WaveLayerNorm';
/** Exact GELU. Input x. */
export const GELU = 'WaveGelu';
