/** Which source pixels each pixel of a resized 8-bit image is made of, and their weights, in the numbers of Pillow. */
import type { Interpolation } from './resize-choices.js';

/** Bits of a weight after the point: as many as leave room for 255 times the sum of the absolute weights. */
export const BITS = 22;

const FILTERS: Readonly<
  Record<Exclude<Interpolation, 'nearest'>, readonly [reach: number, shape: (x: number) => number]>
> = {
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  bicubic: [2, (x) => cubic(Math.abs(x))],
  lanczos: [3, (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

/** The source pixels of each pixel of the result along one axis, and their weights. */
export interface Taps {
  /** `[count]`: first source pixel. */
  readonly first: Int32Array;
  /** `[count]`: how many of them. */
  readonly lengths: Int32Array;
  /** `[count, most]`: 22 bits after the point. */
  readonly weights: Int32Array;
  readonly most: number;
}

/** Behind the last source pixel. */
export function endOf({ first, lengths }: Taps): number {
  return first[first.length - 1] + lengths[lengths.length - 1];
}

/** Taps of the results `start .. start + count - 1` of an axis that goes from `size` to `to` pixels. */
export function tapsOf(
  size: number,
  to: number,
  start: number,
  count: number,
  filter: Exclude<Interpolation, 'nearest'>,
): Taps {
  const [reach, shape] = FILTERS[filter];
  const scale = size / to;
  const stretch = Math.max(scale, 1);
  const support = reach * stretch;
  const most = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(count);
  const lengths = new Int32Array(count);
  const weights = new Int32Array(count * most);
  const exact = new Float64Array(most);
  for (let i = 0; i < count; i++) {
    const centre = (start + i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(centre - support + 0.5));
    const length = Math.min(size, Math.trunc(centre + support + 0.5)) - begin;
    let total = 0;
    for (let k = 0; k < length; k++) {
      exact[k] = shape((begin + k - centre + 0.5) * (1 / stretch));
      total += exact[k];
    }
    for (let k = 0; k < length; k++) {
      const weight = (total === 0 ? exact[k] : exact[k] * (1 / total)) * (1 << BITS);
      weights[i * most + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = begin;
    lengths[i] = length;
  }
  return { first, lengths, weights, most };
}

/** The source pixels that the results `start .. start + count - 1` of an axis are made of, from `begin` to before `end`. */
export function rangeNeeded(
  size: number,
  to: number,
  start: number,
  count: number,
  filter: Interpolation,
): { readonly begin: number; readonly end: number } {
  if (size === to) return { begin: start, end: start + count };
  const scale = size / to;
  // Nearest takes one of the two beside the centre.
  const support = filter === 'nearest' ? 1 : FILTERS[filter][0] * Math.max(scale, 1);
  return {
    begin: Math.max(0, Math.trunc((start + 0.5) * scale - support + 0.5)),
    end: Math.min(size, Math.trunc((start + count - 0.5) * scale + support + 0.5)),
  };
}

/** Keys' cubic convolution kernel with a = -0.5. */
function cubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * -0.5 + 2 : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
