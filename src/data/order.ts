/** The order of the training images in an epoch: a pure function of seed and epoch. */
import { createRng } from '../base/rng.js';

/** Parts of a source that are read as a whole: images of one part should follow each other closely. */
export interface SampleBlocks {
  /** `[count]`: block of each image; never falls from one image to the next. */
  readonly of: Uint32Array;
  /** Most blocks that a thread can keep at once. */
  readonly most: number;
}

export interface OrderOptions {
  /** Samples in use, ascending. */
  readonly indices: Uint32Array;
  readonly blocks?: SampleBlocks | undefined;
  /** Blocks whose images are shuffled among each other. */
  readonly window: number;
  readonly seed: number;
  readonly epoch: number;
}

/**
 * All samples in use in a random order: every order equally likely, or, for a source of blocks, blocks in random order
 * and images within windows of `window` blocks, or of as many as a thread can keep.
 */
export function epochOrder({ indices, blocks, window, seed, epoch }: OrderOptions): Uint32Array {
  const rng = createRng(seed, 'shuffle', epoch);
  if (!blocks) return rng.shuffle(indices.slice());
  const starts = startsOf(indices, blocks.of);
  const shuffled = createRng(seed, 'blocks', epoch).shuffle(Uint32Array.from(starts, (_, i) => i));
  const order = new Uint32Array(indices.length);
  const size = Math.min(window, blocks.most);
  let at = 0;
  for (let first = 0; first < shuffled.length; first += size) {
    const begin = at;
    for (const block of shuffled.subarray(first, first + size)) {
      const own = indices.subarray(starts[block], starts[block + 1] ?? indices.length);
      order.set(own, at);
      at += own.length;
    }
    rng.shuffle(order.subarray(begin, at));
  }
  return order;
}

/** Positions in `indices` at which another block begins. */
function startsOf(indices: Uint32Array, blockOf: Uint32Array): number[] {
  const starts: number[] = [];
  for (let i = 0; i < indices.length; i++) {
    if (i === 0 || blockOf[indices[i]] !== blockOf[indices[i - 1]]) starts.push(i);
  }
  return starts;
}
