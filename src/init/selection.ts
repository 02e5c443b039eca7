/** Choosing entries of tensors along their axes. */
import { elementCount } from '../base/shape.js';

/** Positions to keep along an axis; undefined keeps all. */
export type Kept = Int32Array | undefined;

/**
 * `count` of `from` positions, evenly spaced: every `from / count`-th one where that is whole, else from the first to
 * the last, `round(i (from - 1) / (count - 1))`, in exact integer arithmetic (Xu et al. 2024).
 *
 * @param from, count whole numbers, 1 <= count <= from
 * @returns positions in 0..from-1, increasing
 */
export function evenlySpaced(from: number, count: number): Int32Array {
  if (from % count === 0) return Int32Array.from({ length: count }, (_, i) => i * (from / count));
  const gaps = count - 1;
  return Int32Array.from({ length: count }, (_, i) => Math.floor((2 * i * (from - 1) + gaps) / (2 * gaps)));
}

/**
 * The same positions in each of `groups` parts of an axis that lie one after the other.
 *
 * @param size of one part
 */
export function inEachGroup(kept: Int32Array, groups: number, size: number): Int32Array {
  return Int32Array.from({ length: groups * kept.length }, (_, i) => {
    return Math.floor(i / kept.length) * size + kept[i % kept.length];
  });
}

/**
 * Writes the kept entries of a tensor into `out`, row by row.
 *
 * @param values of `shape`, row by row
 * @param kept one for each axis
 */
export function select(values: Float32Array, shape: readonly number[], kept: readonly Kept[], out: Float32Array): void {
  const [columns] = kept.slice(-1);
  const width = shape[shape.length - 1];
  let place = 0;
  for (const start of rowStarts(shape, kept)) {
    if (columns === undefined) {
      out.set(values.subarray(start, start + width), place);
      place += width;
    } else {
      for (let i = 0; i < columns.length; i++) out[place++] = values[start + columns[i]];
    }
  }
}

/** Where the kept rows (all axes but the last) begin. */
function rowStarts(shape: readonly number[], kept: readonly Kept[]): Int32Array {
  let starts = Int32Array.of(0);
  for (let axis = 0; axis < shape.length - 1; axis++) {
    const chosen = kept[axis] ?? Int32Array.from({ length: shape[axis] }, (_, i) => i);
    const stride = elementCount(shape.slice(axis + 1));
    const finer = new Int32Array(starts.length * chosen.length);
    for (let i = 0; i < finer.length; i++) {
      finer[i] = starts[Math.floor(i / chosen.length)] + chosen[i % chosen.length] * stride;
    }
    starts = finer;
  }
  return starts;
}
