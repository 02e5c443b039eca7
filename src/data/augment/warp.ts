/**
 * Affine maps of a picture with Pillow's resampling. A pixel whose place in the original lies outside is filled; filters
 * repeat the border, and results are cut off to whole numbers.
 */
import type { Picture } from '../picture.js';
import { nearestAt } from './nearest.js';
import { cubic, linear, type TapFilter, within } from './taps.js';
import { warpColours } from './warp-kernel.js';

/** `[a, b, c, d, e, f]`: pixel (x, y) shows (a x + b y + c, d x + e y + f) of the original; centres lie at halves. */
export type Affine = readonly [number, number, number, number, number, number];

/** Filters that maps know. */
export type WarpFilter = 'nearest' | TapFilter;

/** What a map needs beside itself. */
export interface Surroundings {
  readonly filter: WarpFilter;
  /** `[channels]`: what lies outside of the original, 0..255. */
  readonly fill: readonly number[];
}

/** The mapped picture, of the same size; the original is left as it is. */
export function warp(picture: Picture, map: Affine, { filter, fill }: Surroundings): Picture {
  const { height, width, channels } = picture;
  const data = new Uint8Array(height * width * channels);
  data.set(fill);
  // Each time twice as much of what is there already.
  for (let done = channels; done < data.length; done *= 2) data.copyWithin(done, 0, done);
  const out = new Uint8ClampedArray(data.buffer);
  if (filter === 'nearest') nearestAt(picture, map, out);
  else if (channels === 3) warpColours(picture, map, filter, data);
  else mixAt(picture, map, filter, out);
  return { data, height, width, channels };
}

/** Any map: each pixel from 4 or 16 others. */
function mixAt(picture: Picture, [a, b, c, d, e, f]: Affine, filter: TapFilter, out: Uint8ClampedArray): void {
  const { data, height, width, channels } = picture;
  const row = width * channels;
  let to = -channels;
  for (let y = 0.5; y < height; y++) {
    for (let x = 0.5; x < width; x++) {
      to += channels;
      const atX = a * x + b * y + c;
      const atY = d * x + e * y + f;
      if (atX < 0 || atX >= width || atY < 0 || atY >= height) continue;
      const left = Math.floor(atX - 0.5);
      const top = Math.floor(atY - 0.5);
      const across = atX - 0.5 - left;
      const down = atY - 0.5 - top;
      const x1 = within(left, width) * channels;
      const x2 = within(left + 1, width) * channels;
      const y1 = within(top, height) * row;
      const y2 = within(top + 1, height) * row;
      if (filter === 'bilinear') {
        for (let i = 0; i < channels; i++) {
          const upper = linear(data[y1 + x1 + i], data[y1 + x2 + i], across);
          const lower = linear(data[y2 + x1 + i], data[y2 + x2 + i], across);
          out[to + i] = Math.trunc(linear(upper, lower, down));
        }
        continue;
      }
      const x0 = within(left - 1, width) * channels;
      const x3 = within(left + 2, width) * channels;
      const y0 = within(top - 1, height) * row;
      const y3 = within(top + 2, height) * row;
      for (let i = 0; i < channels; i++) {
        const v0 = cubic(data[y0 + x0 + i], data[y0 + x1 + i], data[y0 + x2 + i], data[y0 + x3 + i], across);
        const v1 = cubic(data[y1 + x0 + i], data[y1 + x1 + i], data[y1 + x2 + i], data[y1 + x3 + i], across);
        const v2 = cubic(data[y2 + x0 + i], data[y2 + x1 + i], data[y2 + x2 + i], data[y2 + x3 + i], across);
        const v3 = cubic(data[y3 + x0 + i], data[y3 + x1 + i], data[y3 + x2 + i], data[y3 + x3 + i], across);
        out[to + i] = Math.trunc(cubic(v0, v1, v2, v3, down));
      }
    }
  }
}
