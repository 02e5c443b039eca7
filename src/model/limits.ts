/**
 * The largest sizes that are taken for those of a ViT: far beyond any that was made, yet small enough that a file or a
 * typing error that says more is refused at once, not after minutes of listing tensors.
 */
import { z } from 'zod';

export const MOST = {
  /** Height, width and patch side, pixels; ViTs for gigapixel slides see tiles of 4,096 at most. */
  image: 16_384,
  /** Hyperspectral sensors have hundreds. */
  channels: 4096,
  /** Blocks; the deepest transformers that were trained have 1,000. */
  depth: 1024,
  /** ViT-22B: 6,144. */
  width: 65_536,
  /** ViT-22B: 48. */
  heads: 4096,
  /** Four times the width, as usual. */
  hidden: 262_144,
  /** ImageNet-21k and JFT have tens of thousands. */
  classes: 1_000_000,
  /** Register tokens; 4 to 16 are usual. */
  registers: 4096,
} as const;

/** A whole number from `least` (default 1) to `most`. */
export function sizeUpTo(most: number, least = 1) {
  return z
    .int()
    .min(least)
    .max(most, { error: ({ input }) => `expected at most ${most}, found ${input}` });
}
