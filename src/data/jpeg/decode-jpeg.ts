/**
 * Decodes a piece of a JPEG file, pixel by pixel as libjpeg-turbo does. Compared with the image library it spares a copy of
 * the whole image, its threads, and the transforms and colours of all that lies outside of the piece; and it runs in the
 * thread that asks, so that loader threads do not wait for one another.
 */
import { KernelMemory } from '../../base/kernel-memory.js';
import type { Picture } from '../decode.js';
import type { Box } from '../picture.js';
import { fillCodeTable, TABLE_BYTES } from './code-table.js';
import type { Component, JpegHeader } from './header.js';

/** Part of an image. */
export interface Piece {
  /** RGB; valid until the next piece is decoded on this thread. */
  readonly picture: Picture;
  /** Where it lies in the image. */
  readonly top: number;
  readonly left: number;
}

interface Kernels {
  unstuff(from: number, end: number, to: number, list: number, most: number): number;
  start(list: number, pieces: number, interval: number): void;
  row(units: number, first: number, last: number, out: number, plan: number, blocks: number): number;
  transform(
    from: number,
    step: number,
    count: number,
    quant: number,
    out: number,
    stride: number,
    across: number,
    work: number,
  ): void;
  widen(from: number, out: number, end: number): void;
  enlarge(near: number, far: number, out: number, end: number): void;
  colour(y: number, cb: number, cr: number, out: number, end: number): void;
  grey(y: number, out: number, end: number): void;
}

/** Bytes behind everything, which kernels that read ahead may touch. */
const ROOM_BEHIND = 65_536;
/** Larger pieces and files are left to the image library: the memory of the kernels is never given back. */
const MOST_PIXELS = 2 ** 23;
const MOST_BYTES = 2 ** 24;
const SIDE = 8;
const BLOCK = SIDE * SIDE;
const BLOCK_BYTES = 2 * BLOCK;
/** Bytes that kernels may touch before and behind a row or the file. */
const MARGIN = 16;
/** Coefficients in the order of the file: where each lies in its block, row by row. */
const PLACES = zigzag();

/** Where things lie in the memory of the kernels; the first is fixed in entropy.wat. */
const AT_PLACES = 0;
const AT_WORK = 128;
const AT_PLAN = 512;
const AT_QUANTS = 1024;
const AT_TABLES = 2048;
const AT_REST = AT_TABLES + 6 * TABLE_BYTES;

const memory = new KernelMemory<Kernels>(
  ...['entropy', 'transform', 'colour'].map((name) => new URL(`./${name}.wasm`, import.meta.url)),
);

/** The units of an image that a piece needs, as ranges of columns and rows. */
interface Units {
  readonly across: number;
  readonly firstColumn: number;
  readonly lastColumn: number;
  readonly firstRow: number;
  readonly lastRow: number;
}

interface Plane extends Component {
  /** Address of the pixel at the top left. */
  readonly at: number;
  readonly stride: number;
  /** Pixels that are decoded. */
  readonly width: number;
  readonly height: number;
}

/**
 * @param wanted within the image; the piece that is given may reach further
 * @returns undefined for what is left to the image library: damaged files, and very large ones
 */
export function decodeJpeg(bytes: Uint8Array, header: JpegHeader, wanted: Box): Piece | undefined {
  const length = bytes.length - header.scan;
  if (length > MOST_BYTES) return undefined;
  const [{ across, down }] = header.components;
  const units = unitsOf(header, wanted);
  const left = wanted.left - (wanted.left % across);
  const width = aligned(wanted.left + wanted.width - left);
  const [columns, rows] = [units.lastColumn - units.firstColumn, units.lastRow - units.firstRow];
  if (columns * rows * across * down * BLOCK > MOST_PIXELS) return undefined;
  const blocks = header.components.reduce((sum, each) => sum + each.across * each.down, 0);

  const place = { end: AT_REST };
  const take = (size: number) => {
    const at = place.end;
    place.end = aligned(at + size);
    return at;
  };
  const pieces = header.interval > 0 ? Math.ceil((units.across * unitRows(header)) / header.interval) : 1;
  const list = take(8 * pieces);
  const file = take(length + MARGIN);
  // Every piece may begin up to three bytes later than the one before has ended.
  const stream = take(length + 3 * pieces + 2 * MARGIN);
  const coefficients = take(columns * blocks * BLOCK_BYTES);
  const planes = header.components.map((component): Plane => {
    const [wide, tall] = [columns * component.across * SIDE, rows * component.down * SIDE];
    const stride = aligned(wide + 3 * MARGIN);
    return { ...component, at: take(stride * tall) + MARGIN, stride, width: wide, height: tall };
  });
  const wideRows = [take(width + MARGIN), take(width + MARGIN)] as const;
  const out = take(width * 3 * wanted.height);
  const { kernels, buffer } = memory.open(place.end + ROOM_BEHIND);

  const all = new Uint8Array(buffer);
  if (!setTables(buffer, header)) return undefined;
  all.set(bytes.subarray(header.scan), file);
  const found = kernels.unstuff(file, file + length, stream, list, pieces);
  if (found === 0) return undefined;
  kernels.start(list, found, header.interval);
  for (let row = 0; row < units.lastRow; row++) {
    const isKept = row >= units.firstRow;
    const [first, last] = isKept ? [units.firstColumn, units.lastColumn] : [0, 0];
    if (!kernels.row(units.across, first, last, coefficients, AT_PLAN, blocks)) return undefined;
    if (isKept) transformRow(kernels, planes, { coefficients, columns, blocks, row: row - units.firstRow });
  }
  const shift = { top: units.firstRow * down * SIDE, left: units.firstColumn * across * SIDE };
  if (planes.length > 1) repeatEdges(all, planes, header, units);
  const box = { top: wanted.top - shift.top, left: left - shift.left, height: wanted.height, width };
  paint(kernels, planes, { box, lastRow: header.height - 1 - shift.top, wideRows, out });
  const data = all.subarray(out, out + width * 3 * wanted.height);
  return { picture: { data, height: wanted.height, width, channels: 3 }, top: wanted.top, left };
}

/** Colours are enlarged with the help of their neighbours: one pixel of theirs on every side of the piece. */
function unitsOf({ components, height, width }: JpegHeader, { top, left, ...wanted }: Box): Units {
  const [{ across, down }] = components;
  const [wide, tall] = [across * SIDE, down * SIDE];
  const [besides, above] = [across === 1 ? 0 : across, down === 1 ? 0 : down];
  return {
    across: Math.ceil(width / wide),
    firstColumn: Math.floor(Math.max(0, left - besides) / wide),
    lastColumn: Math.ceil(Math.min(width, left + wanted.width + besides) / wide),
    firstRow: Math.floor(Math.max(0, top - above) / tall),
    lastRow: Math.ceil(Math.min(height, top + wanted.height + above) / tall),
  };
}

function unitRows({ components, height }: JpegHeader): number {
  return Math.ceil(height / (components[0].down * SIDE));
}

/** Puts codes, factors and the plan of a unit where the kernels expect them; false if a code is none. */
function setTables(buffer: ArrayBuffer, { components }: JpegHeader): boolean {
  new Uint8Array(buffer).set(PLACES, AT_PLACES);
  const plan = new Int32Array(buffer, AT_PLAN, 256 / 4);
  const blocks = components.reduce((sum, { across, down }) => sum + across * down, 0);
  let block = 0;
  for (const [i, { across, down, quant, dc, ac }] of components.entries()) {
    const at = AT_TABLES + 2 * i * TABLE_BYTES;
    const tables = [at, at + TABLE_BYTES].map((start) => new Int32Array(buffer, start, TABLE_BYTES / 4));
    if (!fillCodeTable(tables[0], dc, 'dc') || !fillCodeTable(tables[1], ac, 'ac')) return false;
    const factors = new Int16Array(buffer, AT_QUANTS + i * BLOCK_BYTES, BLOCK);
    for (let k = 0; k < BLOCK; k++) factors[PLACES[k] / 2] = quant[k];
    for (let n = 0; n < across * down; n++, block++) {
      plan.set([at, at + TABLE_BYTES, AT_PLAN + 16 * blocks + 4 * i], 4 * block);
    }
  }
  return true;
}

interface CoefficientRow {
  readonly coefficients: number;
  readonly columns: number;
  readonly blocks: number;
  /** Of units, among those that are kept. */
  readonly row: number;
}

function transformRow(
  kernels: Kernels,
  planes: readonly Plane[],
  { coefficients, columns, blocks, row }: CoefficientRow,
) {
  let block = 0;
  for (const [i, { across, down, at, stride }] of planes.entries()) {
    for (let y = 0; y < down; y++) {
      for (let x = 0; x < across; x++, block++) {
        const to = at + (row * down + y) * SIDE * stride + x * SIDE;
        const from = coefficients + block * BLOCK_BYTES;
        const quant = AT_QUANTS + i * BLOCK_BYTES;
        kernels.transform(from, blocks * BLOCK_BYTES, columns, quant, to, stride, across * SIDE, AT_WORK);
      }
    }
  }
}

/** At the sides of the image its outermost colours go on. */
function repeatEdges(all: Uint8Array, planes: readonly Plane[], { width }: JpegHeader, units: Units): void {
  const [brightness, ...colours] = planes;
  const end = Math.ceil(width / brightness.across) - units.firstColumn * SIDE;
  for (const { at, stride, width: decoded, height } of colours) {
    for (let y = 0, row = at; y < height; y++, row += stride) {
      if (units.firstColumn === 0) all[row - 1] = all[row];
      if (end <= decoded) all[row + end] = all[row + end - 1];
    }
  }
}

interface Painting {
  /** In the planes. */
  readonly box: Box;
  /** Of the image, in the planes. */
  readonly lastRow: number;
  /** Room for a row of each colour. */
  readonly wideRows: readonly [number, number];
  readonly out: number;
}

function paint(kernels: Kernels, planes: readonly Plane[], { box, lastRow, wideRows, out }: Painting): void {
  const [brightness, ...colours] = planes;
  const rowBytes = box.width * 3;
  const last = Math.floor(lastRow / brightness.down);
  for (let y = box.top, to = out; y < box.top + box.height; y++, to += rowBytes) {
    const light = brightness.at + y * brightness.stride + box.left;
    if (colours.length === 0) {
      kernels.grey(light, to, to + rowBytes);
      continue;
    }
    const [blue, red] = colours.map(({ at, stride }, i) => {
      const start = at + box.left / brightness.across;
      if (brightness.across === 1) return start + y * stride;
      const wide = wideRows[i];
      if (brightness.down === 1) kernels.widen(start + y * stride, wide, wide + box.width);
      else {
        const near = y >> 1;
        const far = Math.min(last, Math.max(0, y % 2 === 0 ? near - 1 : near + 1));
        kernels.enlarge(start + near * stride, start + far * stride, wide, wide + box.width);
      }
      return wide;
    });
    kernels.colour(light, blue, red, to, to + rowBytes);
  }
}

function aligned(bytes: number): number {
  return (bytes + 15) & ~15;
}

/** `[128]`: bytes; what damaged files put behind the end of a block goes to its last place. */
function zigzag(): Uint8Array {
  const cells = Array.from({ length: BLOCK }, (_, at) => ({ at, x: at % SIDE, y: Math.floor(at / SIDE) }));
  // From one anti-diagonal to the next; odd ones are walked downwards.
  cells.sort((a, b) => a.x + a.y - (b.x + b.y) || ((a.x + a.y) % 2 === 1 ? a.y - b.y : b.y - a.y));
  return Uint8Array.from({ length: 2 * BLOCK }, (_, k) => 2 * (cells[k]?.at ?? BLOCK - 1));
}
