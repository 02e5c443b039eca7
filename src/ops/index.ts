/** Named ops: each has its own gradient and becomes few fused operators on the compiled engine. */
export { crossEntropy } from './cross-entropy.js';
export { gelu } from './gelu.js';
export { outerSum } from './kronecker.js';
export { layerNorm } from './layer-norm.js';
export { linear } from './linear.js';
export { type AttentionSizes, selfAttention } from './self-attention.js';
