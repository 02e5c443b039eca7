/** Random erasing (Zhong et al. 2017, timm's form): a rectangle of a normalised image is overwritten, in patch layout. */
import { normalQuantile } from '../../base/normal.js';
import type { Rng } from '../../base/rng.js';
import { roundHalfEven } from '../framing.js';
import { type PatchShape, patchDim, rowOffset } from '../patches.js';
import type { Box } from '../picture.js';

/** What the rectangle is filled with. */
export const ERASING_MODES = ['pixel', 'const', 'rand'] as const;

export interface Erasing {
  /** Share of the images in which a rectangle is erased. */
  readonly probability: number;
  /**
   * `pixel`: every value drawn from the standard normal distribution; `rand`: one such value for each channel; `const`: 0,
   * the mean of the data set.
   */
  readonly mode: (typeof ERASING_MODES)[number];
}

/** Smallest and largest share of the area. */
const AREA = [0.02, 1 / 3] as const;
/** Smallest and largest height over width. */
const ASPECT = [0.3, 1 / 0.3] as const;
/** Draws that may not fit before the image is left as it is. */
const TRIES = 10;

/** The rectangle to erase, if any: area uniform, aspect ratio log-uniform, place uniform. */
export function drawErased(probability: number, height: number, width: number, rng: Rng): Box | null {
  if (rng.uniform() >= probability) return null;
  const [least, most] = [Math.log(ASPECT[0]), Math.log(ASPECT[1])];
  for (let i = 0; i < TRIES; i++) {
    const area = (AREA[0] + (AREA[1] - AREA[0]) * rng.uniform()) * height * width;
    const aspect = Math.exp(least + (most - least) * rng.uniform());
    const tall = roundHalfEven(Math.sqrt(area * aspect));
    const wide = roundHalfEven(Math.sqrt(area / aspect));
    if (tall >= height || wide >= width) continue;
    const top = rng.int(height - tall + 1);
    return { top, left: rng.int(width - wide + 1), height: tall, width: wide };
  }
  return null;
}

/** Values that noise is drawn from: normal quantiles, all equally likely, so that 16 random bits make a value. */
const NOISE_VALUES = 65_536;

let noiseTable: Float32Array | undefined;

/** `[65536]`, made when it is first needed. */
function noiseValues(): Float32Array {
  noiseTable ??= Float32Array.from({ length: NOISE_VALUES }, (_, i) => normalQuantile((i + 0.5) / NOISE_VALUES));
  return noiseTable;
}

/**
 * Overwrites a rectangle of one image of a batch.
 *
 * @param out `[patches, batch, patch_dim]`
 * @param slot position in the batch
 */
export function eraseBox(
  out: Float32Array,
  shape: PatchShape,
  slot: number,
  { top, left, height, width }: Box,
  mode: Erasing['mode'],
  rng: Rng,
): void {
  const { batch, channels, patch } = shape;
  const nextPatch = batch * patchDim(shape);
  const noise = mode === 'pixel' ? noiseValues() : null;
  for (let c = 0; c < channels; c++) {
    const value = mode === 'rand' ? rng.normal() : 0;
    for (let y = top; y < top + height; y++) {
      const row = rowOffset(shape, slot, c, y);
      for (let x = left; x < left + width; ) {
        const within = x % patch;
        const end = Math.min(left + width, x - within + patch);
        const start = row + ((x - within) / patch) * nextPatch + within;
        const stop = start + end - x;
        if (noise) for (let at = start; at < stop; at++) out[at] = noise[rng.uint32() >>> 16];
        else out.fill(value, start, stop);
        x = end;
      }
    }
  }
}
