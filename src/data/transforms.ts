/**
 * From stored pixels to what the model sees: crop, flip, channel repetition, normalisation. Random choices are a pure
 * function of (seed, epoch, sample, repetition), so the batch a sample lands in and the thread that prepares it do not
 * matter.
 */
import { ConfigError } from '../base/errors.js';
import { createRng } from '../base/rng.js';
import { changesPixels, type ImageChanges } from './augment/changes.js';
import type { RandomResizedCrop, TrainInterpolation } from './framing.js';
import type { MixSettings } from './mix.js';

/** Random changes to training images. */
export interface Augment extends ImageChanges {
  /** Black pixels added on every side before a crop of the original size is taken; 0 = no crop. */
  readonly padCrop: number;
  /** Mirror half of the images left to right. */
  readonly flip: boolean;
  /** Random pieces instead of whole images; null: images are framed as in evaluation. */
  readonly randomResizedCrop?: RandomResizedCrop | null;
  /** Filter of those pieces; absent: that of evaluation. */
  readonly interpolation?: TrainInterpolation;
  /** Mixes the images of a batch; null: each stays by itself. */
  readonly mix?: MixSettings | null;
  /** Times that each sample of an epoch stands in it, each time with draws of its own; default 1. */
  readonly repeats?: number;
}

/** Whether anything in a training image is drawn at random. */
export function isRandom(augment: Augment): boolean {
  const { padCrop, flip, randomResizedCrop, erasing, mix } = augment;
  const isFramed = padCrop > 0 || flip || Boolean(randomResizedCrop);
  return isFramed || changesPixels(augment) || Boolean(erasing) || Boolean(mix);
}

/**
 * What ends the name of every stream of random numbers for an image.
 *
 * @param sample index in the source
 * @param repeat which of its places in the epoch, from 0
 */
export function drawKey(epoch: number, sample: number, repeat: number): number[] {
  return repeat === 0 ? [epoch, sample] : [epoch, sample, repeat];
}

/** The random choices for one image. Pixel (y, x) shows (y + top, x + left) of the original, mirrored after that. */
export interface Draw {
  /** Pixels, -padCrop .. padCrop. */
  readonly top: number;
  /** Pixels, -padCrop .. padCrop. */
  readonly left: number;
  readonly flip: boolean;
}

/** The draw that changes nothing. */
export const UNCHANGED: Draw = { top: 0, left: 0, flip: false };

/** The choices for `sample` (its index in the source) in `epoch`; `repeat` as for {@link drawKey}. */
export function drawAugment(
  augment: Pick<Augment, 'padCrop' | 'flip'>,
  seed: number,
  epoch: number,
  sample: number,
  repeat = 0,
): Draw {
  const rng = createRng(seed, 'augment', ...drawKey(epoch, sample, repeat));
  const reach = 2 * augment.padCrop + 1;
  const top = rng.int(reach) - augment.padCrop;
  const left = rng.int(reach) - augment.padCrop;
  const mirrored = rng.int(2) === 1;
  return { top, left, flip: augment.flip && mirrored };
}

/**
 * Normalised value of every pixel value: `(v / 255 - mean) / std`, rounded once to 32 bits.
 *
 * @param mean per channel, in 0..1; or one value for all.
 * @param std per channel, above 0; or one value for all.
 * @returns `[channels, 256]`
 * @throws {ConfigError} if the number of values is neither 1 nor `channels`.
 */
export function normaliseTable(mean: readonly number[], std: readonly number[], channels: number): Float32Array {
  for (const [name, values] of [['mean', mean] as const, ['std', std] as const]) {
    if (values.length !== 1 && values.length !== channels) {
      const images = `images with ${channels} channel${channels === 1 ? '' : 's'}`;
      throw new ConfigError(
        `data.${name}: ${values.length} values for ${images}; give one per channel, or one for all`,
      );
    }
  }
  const table = new Float32Array(channels * 256);
  for (let c = 0; c < channels; c++) {
    const centre = mean[mean.length === 1 ? 0 : c];
    const scale = std[std.length === 1 ? 0 : c];
    for (let v = 0; v < 256; v++) table[c * 256 + v] = (v / 255 - centre) / scale;
  }
  return table;
}
