/**
 * Resizes 8-bit images exactly as Pillow does: filters widen with the factor when they shrink, weights are whole numbers
 * of 22 bits, columns before rows, each pass rounded to 8 bits. Models are trained on pixels that were made this way.
 */
import { readFileSync } from 'node:fs';
import type { Interpolation } from './resize-choices.js';
import { BITS, endOf, rangeNeeded, type Taps, tapsOf } from './resize8-taps.js';

/** 8-bit pixels `[height, width, channels]`. */
export interface Pixels8 {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** A piece of an image, pixels. */
export interface Piece {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** What becomes of an image: the piece `box` of it, resized to `size` (height, width), and of that the piece `crop`. */
export interface Resizing {
  readonly box: Piece;
  readonly size: readonly [number, number];
  readonly crop: Piece;
  readonly filter: Interpolation;
}

/** Only what ends in `crop` is computed; the result is the same as if all were. */
export function resize8(image: Pixels8, { box, size: [tall, wide], crop, filter }: Resizing): Pixels8 {
  if (filter === 'nearest') return pickNearest(image, { box, size: [tall, wide], crop });
  const { channels } = image;
  const across = wide === box.width ? undefined : tapsOf(box.width, wide, crop.left, crop.width, filter);
  const down = tall === box.height ? undefined : tapsOf(box.height, tall, crop.top, crop.height, filter);
  // The rows that the second pass will ask for.
  const skipped = down ? down.first[0] : crop.top;
  const rows = down ? endOf(down) - skipped : crop.height;
  const top = box.top + skipped;
  const passes = new Passes(crop.width * channels, rows, crop.height);
  if (across) passes.across(image, { top, left: box.left, rows }, across);
  else passes.copy(image, { top, left: box.left + crop.left, rows });
  if (down) passes.down(down, skipped);
  return { data: passes.result(crop.height, down !== undefined), height: crop.height, width: crop.width, channels };
}

/** The part of an image that `resize8` looks at. */
export function pieceNeeded({ box, size: [tall, wide], crop, filter }: Resizing): Piece {
  const rows = rangeNeeded(box.height, tall, crop.top, crop.height, filter);
  const columns = rangeNeeded(box.width, wide, crop.left, crop.width, filter);
  return {
    top: box.top + rows.begin,
    left: box.left + columns.begin,
    height: rows.end - rows.begin,
    width: columns.end - columns.begin,
  };
}

interface RowRange {
  readonly top: number;
  readonly left: number;
  readonly rows: number;
}

interface Kernels {
  readonly memory: WebAssembly.Memory;
  across(
    input: number,
    inputStride: number,
    output: number,
    outputStride: number,
    rows: number,
    first: number,
    lengths: number,
    weights: number,
    most: number,
    wide: number,
  ): void;
  down(
    input: number,
    output: number,
    stride: number,
    rows: number,
    first: number,
    lengths: number,
    weights: number,
    most: number,
    skipped: number,
  ): void;
}

/** Kernels of this thread; a resize is done before the next one begins, so they share their memory. */
let kernels: Kernels | undefined;

const PAGE = 65_536;
/** Bytes of source rows that are handed to the kernel at a time, so that no large image lies in its memory whole. */
const STRIP = 2 ** 20;

/** The two passes on the memory of the kernels: tables and rows of the source, what the first pass gives, the result. */
class Passes {
  readonly #kernels: Kernels;
  /** Bytes of a row of results, and from one to the next. */
  readonly #length: number;
  readonly #stride: number;
  /** Where what the first pass gives begins, and the result. */
  readonly #middle = 0;
  readonly #out: number;
  readonly #free: number;

  constructor(length: number, rows: number, tall: number) {
    kernels ??= new WebAssembly.Instance(
      new WebAssembly.Module(readFileSync(new URL('./resize8.wasm', import.meta.url))),
      {},
    ).exports as unknown as Kernels;
    this.#kernels = kernels;
    this.#length = length;
    // One byte more than a row: the kernels write so far.
    this.#stride = aligned(length + 1);
    this.#out = rows * this.#stride;
    this.#free = this.#out + tall * this.#stride;
  }

  /** The first pass: every row gets the width of the result. */
  across({ data, width, channels }: Pixels8, { top, left, rows }: RowRange, taps: Taps): void {
    const { first, lengths, weights, most } = taps;
    const [begin, end] = [first[0], endOf(taps)];
    const rowBytes = (end - begin) * channels;
    if (channels !== 3) {
      const out = this.#bytes(this.#middle, rows * this.#stride);
      for (let y = 0; y < rows; y++) {
        const row = ((top + y) * width + left) * channels;
        weighRow(data, row, out, y * this.#stride, channels, taps);
      }
      return;
    }
    const tables = this.#tables({ first: first.map((one) => one - begin), lengths, weights, most });
    const inputStride = aligned(rowBytes + 1);
    const strip = Math.max(1, Math.floor(STRIP / inputStride));
    for (let from = 0; from < rows; from += strip) {
      const count = Math.min(strip, rows - from);
      const into = this.#bytes(tables.end, count * inputStride);
      for (let y = 0; y < count; y++) {
        const at = ((top + from + y) * width + left + begin) * channels;
        into.set(data.subarray(at, at + rowBytes), y * inputStride);
      }
      const out = this.#middle + from * this.#stride;
      const { first, lengths, weights } = tables;
      this.#kernels.across(
        tables.end,
        inputStride,
        out,
        this.#stride,
        count,
        first,
        lengths,
        weights,
        most,
        taps.first.length,
      );
    }
  }

  /** In place of the first pass, where the width stays. */
  copy({ data, width, channels }: Pixels8, { top, left, rows }: RowRange): void {
    const into = this.#bytes(this.#middle, rows * this.#stride);
    for (let y = 0; y < rows; y++) {
      const at = ((top + y) * width + left) * channels;
      into.set(data.subarray(at, at + this.#length), y * this.#stride);
    }
  }

  /** The second pass. `skipped` rows at the top have not been through the first one. */
  down(taps: Taps, skipped: number): void {
    const { first, lengths, weights } = this.#tables(taps);
    const [rows, stride] = [taps.first.length, this.#stride];
    this.#kernels.down(this.#middle, this.#out, stride, rows, first, lengths, weights, taps.most, skipped);
  }

  /** @param hasColumns whether there was a second pass */
  result(tall: number, hasColumns: boolean): Uint8Array {
    const rows = this.#bytes(hasColumns ? this.#out : this.#middle, tall * this.#stride);
    const data = new Uint8Array(tall * this.#length);
    for (let y = 0; y < tall; y++) {
      data.set(rows.subarray(y * this.#stride, y * this.#stride + this.#length), y * this.#length);
    }
    return data;
  }

  /** Puts taps behind what lies in the memory; tells where, and where they end. */
  #tables({ first, lengths, weights }: Taps) {
    const at = { first: this.#free, lengths: 0, weights: 0, end: 0 };
    at.lengths = at.first + aligned(first.byteLength);
    at.weights = at.lengths + aligned(lengths.byteLength);
    at.end = at.weights + aligned(weights.byteLength);
    this.#bytes(at.first, at.end - at.first);
    const { buffer } = this.#kernels.memory;
    for (const [place, values] of [
      [at.first, first],
      [at.lengths, lengths],
      [at.weights, weights],
    ] as const) {
      new Int32Array(buffer, place, values.length).set(values);
    }
    return at;
  }

  /** A part of the memory, which grows as needed. */
  #bytes(at: number, length: number): Uint8Array {
    const { memory } = this.#kernels;
    const missing = at + length + PAGE - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    return new Uint8Array(memory.buffer, at, length);
  }
}

function aligned(bytes: number): number {
  return (bytes + 15) & ~15;
}

/** One row of the first pass, for any number of channels. */
function weighRow(data: Uint8Array, from: number, out: Uint8Array, to: number, channels: number, taps: Taps): void {
  const { first, lengths, weights, most } = taps;
  for (let x = 0; x < first.length; x++) {
    for (let c = 0; c < channels; c++) {
      let sum = 1 << (BITS - 1);
      let at = from + first[x] * channels + c;
      for (let k = 0; k < lengths[x]; k++, at += channels) sum += Math.imul(data[at], weights[x * most + k]);
      out[to + x * channels + c] = Math.min(255, Math.max(0, sum >> BITS));
    }
  }
}

function pickNearest({ data, width, channels }: Pixels8, { box, size, crop }: Omit<Resizing, 'filter'>): Pixels8 {
  const columns = nearest(box.width, size[1], crop.left, crop.width);
  const rows = nearest(box.height, size[0], crop.top, crop.height);
  const out = new Uint8Array(crop.height * crop.width * channels);
  let to = 0;
  for (const y of rows) {
    for (const x of columns) {
      const from = ((box.top + y) * width + box.left + x) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c];
    }
  }
  return { data: out, height: crop.height, width: crop.width, channels };
}

/** Positions are summed up, not multiplied: with its rounding, that is what Pillow does. */
function nearest(size: number, to: number, start: number, count: number): Int32Array {
  const scale = size / to;
  const picked = new Int32Array(count);
  let position = scale * 0.5;
  for (let i = 0; i < start + count; i++) {
    if (i >= start) picked[i - start] = Math.min(size - 1, Math.floor(position));
    position += scale;
  }
  return picked;
}
