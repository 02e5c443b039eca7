/** Layer-wise learning-rate decay: the nearer to the input, the smaller the steps. */
import { isEmbedding } from '../model/parameters.js';

/**
 * Layer of a parameter, as BEiT counts them (Bao et al. 2022): 0 for tokens, position and patch embedding, `i + 1` for
 * block `i`, `depth + 1` for the last norm and the head.
 *
 * @param name timm name
 */
export function layerOf(name: string, depth: number): number {
  if (isEmbedding(name)) return 0;
  const block = /^blocks\.(\d+)\./.exec(name);
  return block ? Number(block[1]) + 1 : depth + 1;
}

/** Factor on the learning rate: `decay ^ (depth + 1 - layer)`, so 1 for the head. */
export function layerScale(name: string, depth: number, decay: number): number {
  return decay ** (depth + 1 - layerOf(name, depth));
}
