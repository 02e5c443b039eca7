/** Pillow's filters between pixels, with its arithmetic: results are cut off, so the last bit of a sum may decide. */

/** Filters that mix neighbours. */
export type TapFilter = 'bilinear' | 'bicubic';

/** Between two values, at `place` from 0 to 1. */
export function linear(first: number, second: number, place: number): number {
  return first + (second - first) * place;
}

/** Between the second and the third of four values: Keys' cubic kernel with a = -1, Pillow's for maps. */
export function cubic(v1: number, v2: number, v3: number, v4: number, place: number): number {
  return v2 + place * (v3 - v1 + place * (2 * (v1 - v2) + v3 - v4 + place * (v2 - v1 - v3 + v4)));
}

/** The nearest of the positions 0 .. length - 1. */
export function within(position: number, length: number): number {
  return position < 0 ? 0 : position < length ? position : length - 1;
}
