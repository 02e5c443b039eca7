/** The kernels that change the values of a picture (values.wat), and the memory that they work on. */
import { KernelMemory } from '../../base/kernel-memory.js';
import type { Picture } from '../picture.js';

interface Kernels {
  replace(at: number, length: number, table: number): void;
  replaceColours(at: number, length: number, table: number): void;
  greySum(at: number, length: number): number;
  tint(at: number, length: number, factor: number): void;
  sharpen(
    above: number,
    here: number,
    below: number,
    out: number,
    before: number,
    length: number,
    factor: number,
  ): void;
}

/** Where a picture begins, behind room for tables. */
const AT_PICTURE = 1024;
/** Bytes behind a picture that kernels may touch. */
const MARGIN = 16;

const memory = new KernelMemory<Kernels>(new URL('./values.wasm', import.meta.url));

/**
 * Replaces every value, in place.
 *
 * @param table `[256]`, or, for pictures of three channels, `[3, 256]`
 */
export function replaceIn({ data }: Picture, table: Uint8Array): void {
  const { kernels, all } = open(data);
  all.set(table);
  if (table.length === 256) kernels.replace(AT_PICTURE, data.length, 0);
  else kernels.replaceColours(AT_PICTURE, data.length, 0);
  data.set(all.subarray(AT_PICTURE, AT_PICTURE + data.length));
}

/** The sum of the grey values of a picture of three channels. */
export function greySum({ data }: Picture): number {
  return open(data).kernels.greySum(AT_PICTURE, data.length);
}

/** Mixes a picture of three channels with its grey version, in place. */
export function tint({ data }: Picture, factor: number): void {
  const { kernels, all } = open(data);
  kernels.tint(AT_PICTURE, data.length, factor);
  data.set(all.subarray(AT_PICTURE, AT_PICTURE + data.length));
}

/** Mixes a picture with its smoothed version, in place, but for its outermost pixels. */
export function sharpen({ data, height, width, channels }: Picture, factor: number): void {
  const row = width * channels;
  const out = AT_PICTURE + data.length + MARGIN;
  const { kernels, all } = open(data, data.length);
  for (let y = 1; y < height - 1; y++) {
    const here = AT_PICTURE + y * row;
    kernels.sharpen(here - row, here, here + row, out + y * row, channels, row, factor);
  }
  const middle = data.length - row;
  data.set(all.subarray(out + row, out + middle), row);
  // The kernel writes over the edges.
  for (let y = row; y < middle; y += row) {
    data.set(all.subarray(AT_PICTURE + y, AT_PICTURE + y + channels), y);
    data.set(all.subarray(AT_PICTURE + y + row - channels, AT_PICTURE + y + row), y + row - channels);
  }
}

/**
 * The kernels, with a copy of a picture in their memory.
 *
 * @param more bytes that are needed behind it
 */
function open(data: Uint8Array, more = 0): { readonly kernels: Kernels; readonly all: Uint8Array } {
  const { kernels, buffer } = memory.open(AT_PICTURE + data.length + more + 2 * MARGIN);
  const all = new Uint8Array(buffer);
  all.set(data, AT_PICTURE);
  return { kernels, all };
}
