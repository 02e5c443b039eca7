/** Compares tensors of two open checkpoints in slices, each possibly in several pieces along its first axis. */
import { elementCount } from '../base/shape.js';
import { Difference } from './difference.js';
import type { TensorInfo } from './header.js';
import { isNumeric, type NumberArray } from './numbers.js';
import type { SafetensorsReader } from './reader.js';
import type { DimensionSlice } from './slice.js';

/** Elements that are in memory of each side at once. */
const AT_ONCE = 1 << 20;

/** A tensor of a checkpoint; without a name, zeros stand in its place. */
export interface Part {
  readonly tensor?: string;
}

/** Values made of equally large tensors, joined along the first axis. */
export interface Values {
  readonly reader: SafetensorsReader;
  readonly parts: readonly Part[];
  /** When joined. */
  readonly shape: readonly number[];
}

/** Whether values have numbers to be compared: types of less than a byte, FP8 and complex ones do not. */
export function comparable({ reader, parts }: Values): boolean {
  return parts.every(({ tensor }) => tensor === undefined || isNumeric(infoOf(reader, tensor).dtype));
}

/**
 * Compares values of equal shape. About 2^20 elements of each side are in memory at once, a longer row aside.
 *
 * @param most elements at once, for tests
 * @throws CheckpointError when they cannot be read.
 */
export async function compareTensors(a: Values, b: Values, most = AT_ONCE): Promise<Difference> {
  const difference = new Difference();
  // One side may be joined of several tensors while the other is one: they meet at the boundaries of the finer one.
  const count = Math.max(a.parts.length, b.parts.length);
  const shape = count === 1 ? a.shape : [a.shape[0] / count, ...a.shape.slice(1)];
  for (let part = 0; part < count; part++) {
    for (const slices of pieces(shape, most)) {
      difference.add(await read(a, { part, count, shape, slices }), await read(b, { part, count, shape, slices }));
    }
  }
  return difference;
}

/**
 * Slices of the leading axes that cover a tensor in order, none of more than `most` elements unless the last axis alone
 * has more than that.
 */
export function* pieces(shape: readonly number[], most: number): Generator<readonly DimensionSlice[]> {
  const total = elementCount(shape);
  if (total === 0) return;
  const [size, ...inner] = shape;
  if (size === undefined || total <= most) {
    yield [];
    return;
  }
  const row = elementCount(inner);
  if (row > most) {
    for (let index = 0; index < size; index++) for (const rest of pieces(inner, most)) yield [index, ...rest];
    return;
  }
  const rows = Math.floor(most / row);
  for (let start = 0; start < size; start += rows) yield [{ start, stop: Math.min(start + rows, size) }];
}

interface Piece {
  /** The piece is in this part of `count`. */
  readonly part: number;
  readonly count: number;
  /** Of a part. */
  readonly shape: readonly number[];
  readonly slices: readonly DimensionSlice[];
}

async function read({ reader, parts }: Values, { part, count, shape, slices }: Piece): Promise<NumberArray> {
  const isSplit = parts.length === count;
  const { tensor } = parts[isSplit ? part : 0];
  if (tensor === undefined) return new Float32Array(sizeOf(shape, slices));
  return reader.readNumbers(tensor, isSplit ? slices : shifted(slices, part * shape[0], shape[0]));
}

/** The same slices of a tensor in which the part begins at row `from`. */
function shifted(slices: readonly DimensionSlice[], from: number, rows: number): readonly DimensionSlice[] {
  const [first = {}, ...rest] = slices;
  if (typeof first === 'number') return [from + first, ...rest];
  return [{ start: from + (first.start ?? 0), stop: from + (first.stop ?? rows) }, ...rest];
}

function sizeOf(shape: readonly number[], slices: readonly DimensionSlice[]): number {
  return shape.reduce((product, size, axis) => {
    const slice = slices[axis] ?? {};
    return typeof slice === 'number' ? product : product * ((slice.stop ?? size) - (slice.start ?? 0));
  }, 1);
}

function infoOf(reader: SafetensorsReader, tensor: string): TensorInfo {
  const info = reader.tensors.get(tensor);
  if (info === undefined) throw new RangeError(`no tensor ${tensor}`);
  return info;
}
