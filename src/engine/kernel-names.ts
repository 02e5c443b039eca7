/**
 * Names of the kernels that the suite adds to tfjs for its named ops (src/ops). A backend has those that it is faster
 * with; where it lacks one, the op composes plain tfjs ops instead.
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
/** A row added to every row of a matrix. Inputs x `[rows, columns]`, bias `[columns]`. */
export const ADD_BIAS = 'WaveAddBias';
/** Sums of the columns of a matrix. Input x `[rows, columns]`; output `[columns]`. */
export const COLUMN_SUMS = 'WaveColumnSums';
/**
 * Layer norm, linear layer, exact GELU, linear layer. Inputs x, scale, shift, w1, b1, w2, b2; attributes epsilon and
 * learning; outputs y and, if learning is 1, what its gradient takes beside.
 */
export const MLP_BRANCH = 'WaveMlpBranch';
export const MLP_BRANCH_GRADIENT = 'WaveMlpBranchGradient';
/**
 * Layer norm, self-attention, output projection. Inputs x, scale, shift, weight, bias, projection, projectionBias;
 * attributes epsilon, batch, heads, queries and learning; outputs y and, if learning is 1, what its gradient takes beside.
 */
export const ATTENTION_BRANCH = 'WaveAttentionBranch';
export const ATTENTION_BRANCH_GRADIENT = 'WaveAttentionBranchGradient';
