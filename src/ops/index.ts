/** Named ops: each has its own gradient and becomes few fused operators on the compiled engine. */
export { attentionBranch } from './attention-branch.js';
export { crossEntropy } from './cross-entropy.js';
export { gelu } from './gelu.js';
export { outerSum } from './kronecker.js';
export { layerNorm } from './layer-norm.js';
export { linear } from './linear.js';
export { type Linear, mlpBranch } from './mlp-branch.js';
export type { Norm } from './normalise.js';
export { type AttentionSizes, selfAttention } from './self-attention.js';
