/** The kernel of affine maps of RGB pictures (warp.wat), and the memory that it works on. */
import { KernelMemory } from '../../base/kernel-memory.js';
import type { Picture } from '../picture.js';
import type { TapFilter } from './taps.js';

type Warp = (
  from: number,
  to: number,
  width: number,
  height: number,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
  isCubic: number,
  keeps: number,
) => void;

/** What the kernel is told of maps that leave pixels in their row, or in their column. */
const KEEPS = { none: 0, rows: 1, columns: 2 };

const memory = new KernelMemory<{ readonly warp: Warp }>(new URL('./warp.wasm', import.meta.url));

/**
 * Maps a picture of three channels.
 *
 * @param map `[a, b, c, d, e, f]`
 * @param out `[height, width, 3]`: what lies outside of the picture stays as it is
 */
export function warpColours(
  { data, height, width }: Picture,
  map: readonly [number, number, number, number, number, number],
  filter: TapFilter,
  out: Uint8Array,
): void {
  const to = (data.length + 16) & ~15;
  const { kernels, buffer } = memory.open(to + out.length);
  const all = new Uint8Array(buffer);
  all.set(data);
  all.set(out, to);
  const [a, b, c, d, e, f] = map;
  const keeps = d === 0 && e === 1 && f === 0 ? KEEPS.rows : a === 1 && b === 0 && c === 0 ? KEEPS.columns : KEEPS.none;
  kernels.warp(0, to, width, height, a, b, c, d, e, f, filter === 'bicubic' ? 1 : 0, keeps);
  out.set(all.subarray(to, to + out.length));
}
