/** Named ops: each has its own gradient and becomes few fused operators on the compiled engine. */
export { attentionBranch } from './attention-branch.js';
export { crossEntropy } from './cross-entropy.js';
export { gelu } from './gelu.js';
export { outerSum } from './kronecker.js';
export { layerNorm, type Norm } from './layer-norm.js';
export { type Linear, linear, linearOfData } from './linear.js';
export { mlpBranch } from './mlp-branch.js';
export { type AttentionSizes, selfAttention } from './self-attention.js';
