/** Maps that move rows along themselves, or columns: one of the two filters then has nothing to do. */
import type { Picture } from '../picture.js';
import { cubic, linear, type TapFilter, within } from './taps.js';

/** How far lines are moved, pixels: `shift`, and `slope` for each pixel of distance from the first edge. */
export interface Slide {
  readonly slope: number;
  readonly shift: number;
  readonly filter: TapFilter;
}

/** Pixel (x, y) shows (x + slope y + shift, y); what lies outside is left as it is in `out`. */
export function slideRows(picture: Picture, { slope, shift, filter }: Slide, out: Uint8ClampedArray): void {
  const { data, height, width, channels } = picture;
  for (let y = 0; y < height; y++) {
    const row = y * width * channels;
    for (let x = 0; x < width; x++) {
      const at = x + 0.5 + slope * (y + 0.5) + shift;
      if (at < 0 || at >= width) continue;
      const left = Math.floor(at - 0.5);
      const place = at - 0.5 - left;
      const to = row + x * channels;
      const p1 = row + within(left, width) * channels;
      const p2 = row + within(left + 1, width) * channels;
      if (filter === 'bilinear') {
        for (let c = 0; c < channels; c++) out[to + c] = Math.trunc(linear(data[p1 + c], data[p2 + c], place));
        continue;
      }
      const p0 = row + within(left - 1, width) * channels;
      const p3 = row + within(left + 2, width) * channels;
      for (let c = 0; c < channels; c++) {
        out[to + c] = Math.trunc(cubic(data[p0 + c], data[p1 + c], data[p2 + c], data[p3 + c], place));
      }
    }
  }
}

/** Pixel (x, y) shows (x, y + slope x + shift); what lies outside is left as it is in `out`. */
export function slideColumns(picture: Picture, { slope, shift, filter }: Slide, out: Uint8ClampedArray): void {
  const { data, height, width, channels } = picture;
  const row = width * channels;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = slope * (x + 0.5) + (y + 0.5) + shift;
      if (at < 0 || at >= height) continue;
      const top = Math.floor(at - 0.5);
      const place = at - 0.5 - top;
      const column = x * channels;
      const to = y * row + column;
      const p1 = within(top, height) * row + column;
      const p2 = within(top + 1, height) * row + column;
      if (filter === 'bilinear') {
        for (let c = 0; c < channels; c++) out[to + c] = Math.trunc(linear(data[p1 + c], data[p2 + c], place));
        continue;
      }
      const p0 = within(top - 1, height) * row + column;
      const p3 = within(top + 2, height) * row + column;
      for (let c = 0; c < channels; c++) {
        out[to + c] = Math.trunc(cubic(data[p0 + c], data[p1 + c], data[p2 + c], data[p3 + c], place));
      }
    }
  }
}
