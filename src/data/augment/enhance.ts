/**
 * Pillow's ImageEnhance: a picture mixed with a plain one, or drawn away from it. A factor of 1 changes nothing, 0 gives the
 * plain one, above 1 its opposite. The arithmetic is Pillow's, 32-bit floats cut off to whole numbers, so bytes agree.
 */
import type { Picture } from '../picture.js';
import { replaceValues, tableOf } from './tables.js';

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
export function color({ data, channels }: Picture, factor: number): void {
  if (channels !== 3) return;
  const shares = sharesOf(factor);
  for (let i = 0; i < data.length; i += 3) {
    const [red, green, blue] = [data[i], data[i + 1], data[i + 2]];
    const grey = luma(red, green, blue);
    const at = 255 - grey;
    data[i] = cut(grey + shares[at + red]);
    data[i + 1] = cut(grey + shares[at + green]);
    data[i + 2] = cut(grey + shares[at + blue]);
  }
}

/** Weight of the centre in Pillow's SMOOTH filter; its eight neighbours have 1. */
const CENTRE = 5;
const SMOOTHED = Uint8Array.from({ length: 255 * (8 + CENTRE) + 1 }, (_, sum) => Math.round(sum / (8 + CENTRE)));

/** Mixed with a blurred version of itself; the outermost pixels stay as they are. */
export function sharpness({ data, height, width, channels }: Picture, factor: number): void {
  if (height < 3 || width < 3) return;
  const shares = sharesOf(factor);
  const row = width * channels;
  // Rows are replaced while the next one still needs them as they were.
  let above = new Uint8Array(data.subarray(0, row));
  let here = new Uint8Array(data.subarray(row, 2 * row));
  const columns = new Int32Array(row);
  for (let start = row; start < data.length - row; start += row) {
    const below = start + row;
    for (let i = 0; i < row; i++) columns[i] = above[i] + here[i] + data[below + i];
    for (let i = channels; i < row - channels; i++) {
      const value = here[i];
      const smooth = SMOOTHED[columns[i - channels] + columns[i] + columns[i + channels] + (CENTRE - 1) * value];
      data[start + i] = cut(smooth + shares[255 + value - smooth]);
    }
    const spent = above;
    above = here;
    here = spent;
    here.set(data.subarray(below, below + row));
  }
}

/** The grey value that Pillow gives a colour, 0..255. */
function luma(red: number, green: number, blue: number): number {
  return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
}

/** Mean grey value, rounded half up. */
function meanLuma({ data, channels }: Picture): number {
  let sum = 0;
  if (channels === 3) for (let i = 0; i < data.length; i += 3) sum += luma(data[i], data[i + 1], data[i + 2]);
  else for (let i = 0; i < data.length; i++) sum += data[i];
  return Math.trunc(sum / (data.length / channels) + 0.5);
}

/** `factor` times every difference of two values: entry 255 is that of none. */
function sharesOf(factor: number): Float32Array {
  const single = Math.fround(factor);
  return Float32Array.from({ length: 511 }, (_, i) => single * (i - 255));
}

function mixed(plain: number, value: number, factor: number): number {
  return cut(plain + Math.fround(Math.fround(factor) * (value - plain)));
}

/** The sum as a 32-bit float, cut off to 0..255. */
function cut(sum: number): number {
  const single = Math.fround(sum);
  return single <= 0 ? 0 : single >= 255 ? 255 : Math.trunc(single);
}
