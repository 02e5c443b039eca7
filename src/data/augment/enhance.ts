/**
 * Pillow's ImageEnhance: a picture mixed with a plain one, or drawn away from it. A factor of 1 changes nothing, 0 gives the
 * plain one, above 1 its opposite. The arithmetic is Pillow's, 32-bit floats cut off to whole numbers, so bytes agree.
 */
import type { Picture } from '../picture.js';
import { replaceValues, tableOf } from './tables.js';
import { greySum, sharpen, tint } from './values-kernel.js';

/** Mixed with black. */
export function brightness(picture: Picture, factor: number): void {
  replaceValues(
    picture,
    tableOf((value) => mixed(0, value, factor)),
  );
}

/** Mixed with the mean of its grey values. */
export function contrast(picture: Picture, factor: number): void {
  const mean = meanLuma(picture);
  replaceValues(
    picture,
    tableOf((value) => mixed(mean, value, factor)),
  );
}

/** Mixed with its grey version; one of a single channel stays as it is. */
export function color(picture: Picture, factor: number): void {
  if (picture.channels === 3) tint(picture, factor);
}

/** Mixed with a blurred version of itself (Pillow's SMOOTH); the outermost pixels stay as they are. */
export function sharpness(picture: Picture, factor: number): void {
  const { height, width } = picture;
  if (height >= 3 && width >= 3) sharpen(picture, factor);
}

/** Mean grey value, rounded half up. */
function meanLuma(picture: Picture): number {
  const { data, channels } = picture;
  const sum = channels === 3 ? greySum(picture) : data.reduce((total, value) => total + value, 0);
  return Math.trunc(sum / (data.length / channels) + 0.5);
}

function mixed(plain: number, value: number, factor: number): number {
  return cut(plain + Math.fround(Math.fround(factor) * (value - plain)));
}

/** The sum as a 32-bit float, cut off to 0..255. */
function cut(sum: number): number {
  const single = Math.fround(sum);
  return single <= 0 ? 0 : single >= 255 ? 255 : Math.trunc(single);
}
