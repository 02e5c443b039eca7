/** All changes of a training picture between its framing and its normalisation, and the erasing after that. */
import { createRng } from '../../base/rng.js';
import type { PatchShape } from '../patches.js';
import type { Picture } from '../picture.js';
import { applyJitter, drawJitter } from './color-jitter.js';
import { drawErased, type Erasing, eraseBox } from './erasing.js';
import { applyRandAugment, drawRandAugment, type RandAugment } from './rand-augment.js';

/** What is changed of single training images, apart from their frame. */
export interface ImageChanges {
  /** Null: none. */
  readonly randAugment?: RandAugment | null;
  /** Strength of random brightness, contrast and saturation, 0 = off; not together with `randAugment`. */
  readonly colorJitter?: number;
  /** Null: none. */
  readonly erasing?: Erasing | null;
}

/** Whether pixels change in their own 8 bits, so that a picture has to be made of them. */
export function changesPixels({ randAugment, colorJitter = 0 }: ImageChanges): boolean {
  return Boolean(randAugment) || colorJitter > 0;
}

/**
 * The changed picture; the one given may be changed too.
 *
 * @param key what the choices depend on beside the seed: epoch and sample
 */
export function changePicture(
  picture: Picture,
  { randAugment, colorJitter = 0 }: ImageChanges,
  seed: number,
  key: readonly number[],
): Picture {
  const rng = createRng(seed, 'pixels', ...key);
  if (randAugment) return applyRandAugment(picture, drawRandAugment(randAugment, rng), randAugment.fill);
  if (colorJitter > 0) applyJitter(picture, drawJitter(colorJitter, rng));
  return picture;
}

/**
 * Erases a rectangle of an image in a batch, or none.
 *
 * @param out `[patches, batch, patch_dim]`, normalised
 * @param key as for `changePicture`
 */
export function eraseSome(
  out: Float32Array,
  shape: PatchShape,
  slot: number,
  { probability, mode }: Erasing,
  seed: number,
  key: readonly number[],
): void {
  const rng = createRng(seed, 'erase', ...key);
  const box = drawErased(probability, shape.height, shape.width, rng);
  if (box) eraseBox(out, shape, slot, box, mode, rng);
}
