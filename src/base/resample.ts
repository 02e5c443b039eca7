/** Resizes grids of values along their axes, as PyTorch's `interpolate` does with `align_corners=False`. */

/**
 * `bicubic` takes four neighbours whatever the sizes (Keys 1981 with a = -0.75). The antialiased filters widen with the
 * factor when they shrink, and are those of Pillow (bicubic with a = -0.5).
 */
export const FILTERS = ['bicubic', 'antialiased-bicubic', 'antialiased-bilinear'] as const;
export type Filter = (typeof FILTERS)[number];

/** An array as the axis that is resized sees it: `[outer, size, inner]`. */
export interface Axis {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

/**
 * Resizes the middle axis of `[outer, size, inner]`.
 *
 * @param to new size of the axis
 * @returns `[outer, to, inner]`
 */
export function resampleAxis(
  values: Float32Array,
  { outer, size, inner }: Axis,
  to: number,
  filter: Filter,
): Float32Array {
  const taps = Array.from({ length: to }, (_, i) => tapsAt(i, size, to, filter));
  const out = new Float32Array(outer * to * inner);
  const sums = new Float64Array(inner);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const { indices, weights } of taps) {
      // By loops throughout: on rows of single values, calls cost more than the sums.
      for (let k = 0; k < inner; k++) sums[k] = 0;
      for (let tap = 0; tap < indices.length; tap++) {
        const from = (o * size + indices[tap]) * inner;
        const weight = weights[tap];
        for (let k = 0; k < inner; k++) sums[k] += weight * values[from + k];
      }
      for (let k = 0; k < inner; k++) out[at++] = sums[k];
    }
  }
  return out;
}

/** The values that one value of the result is made of, and their weights. */
interface Taps {
  readonly indices: readonly number[];
  readonly weights: readonly number[];
}

function tapsAt(position: number, size: number, to: number, filter: Filter): Taps {
  const scale = size / to;
  return filter === 'bicubic' ? neighbours(position, size, scale) : window(position, size, scale, WINDOWS[filter]);
}

/** Four neighbours; beyond the edge the last value goes on. */
function neighbours(position: number, size: number, scale: number): Taps {
  const centre = scale * (position + 0.5) - 0.5;
  const first = Math.floor(centre) - 1;
  const indices = [0, 1, 2, 3].map((i) => first + i);
  return {
    indices: indices.map((index) => Math.min(Math.max(index, 0), size - 1)),
    weights: indices.map((index) => cubic(centre - index, -0.75)),
  };
}

/** A filter: how far it reaches from its centre, in values, and its weights there. */
interface Window {
  readonly reach: number;
  readonly shape: (distance: number) => number;
}

const WINDOWS: Readonly<Record<Exclude<Filter, 'bicubic'>, Window>> = {
  'antialiased-bicubic': { reach: 2, shape: (distance) => cubic(distance, -0.5) },
  'antialiased-bilinear': { reach: 1, shape: triangle },
};

/** All values under the filter; beyond the edge there is nothing, and the rest weighs more. */
function window(position: number, size: number, scale: number, { reach, shape }: Window): Taps {
  const stretch = Math.max(scale, 1);
  const centre = scale * (position + 0.5);
  const first = Math.max(Math.trunc(centre - reach * stretch + 0.5), 0);
  const end = Math.min(Math.trunc(centre + reach * stretch + 0.5), size);
  const indices = Array.from({ length: end - first }, (_, i) => first + i);
  const weights = indices.map((index) => shape((index - centre + 0.5) / stretch));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { indices, weights: weights.map((weight) => weight / total) };
}

/** Keys' cubic convolution kernel. */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

function triangle(distance: number): number {
  return Math.max(0, 1 - Math.abs(distance));
}
