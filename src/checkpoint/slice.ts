/** Which bytes of a tensor a slice of its leading dimensions covers. */
import { quote } from '../base/text.js';
import { dtypeBits } from './dtypes.js';
import { CheckpointError } from './errors.js';
import type { TensorInfo } from './header.js';

/** A part of one dimension: an index (the dimension is dropped) or a half-open range, by default all of it. */
export type DimensionSlice = number | { readonly start?: number; readonly stop?: number };

/** First byte and the byte after the last, counted from the start of the tensor. */
export type ByteRange = readonly [begin: number, end: number];

export interface SlicePlan {
  /** Shape of the result: indexed dimensions are gone. */
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** The bytes in order, neighbours joined. */
  ranges(): Iterable<ByteRange>;
}

interface Span {
  readonly start: number;
  readonly stop: number;
  readonly strideBits: number;
}

/**
 * Plans a slice. `slices` address the leading dimensions; the others are taken whole.
 * @throws {CheckpointError} TooManySlices, SliceOutOfRange (also for an empty dimension, which has no valid start)
 * or MisalignedSlice when a sub-byte dtype is cut inside a byte.
 */
export function planSlice(info: TensorInfo, slices: readonly DimensionSlice[]): SlicePlan {
  if (slices.length > info.shape.length) {
    const problem = `${slices.length} slices for ${info.shape.length} dimensions`;
    throw new CheckpointError('TooManySlices', info.file, `tensor ${quote(info.name)}: ${problem}`);
  }
  const bits = dtypeBits(info.dtype);
  const spans = slices.map((slice, dim): Span => {
    const { start, stop } = resolve(info, slice, dim);
    return { start, stop, strideBits: info.shape.slice(dim + 1).reduce((product, size) => product * size, bits) };
  });
  // Whole trailing spans join with what is inside them into one run.
  while (spans.length > 0 && isWhole(spans[spans.length - 1], info.shape[spans.length - 1])) {
    spans.pop();
  }
  for (const [depth, { start, stop, strideBits }] of spans.entries()) {
    // Steps of an outer dimension land inside a byte when its stride does.
    const unevenSteps = depth < spans.length - 1 && stop - start > 1 && strideBits % 8 !== 0;
    if (unevenSteps || (start * strideBits) % 8 !== 0 || (stop * strideBits) % 8 !== 0) {
      const problem = `a slice of dtype ${info.dtype} must begin and end on a whole byte`;
      throw new CheckpointError('MisalignedSlice', info.file, `tensor ${quote(info.name)}: ${problem}`);
    }
  }
  const taken = spans.reduce((product, span) => product * (span.stop - span.start), 1);
  const innerBytes = spans.length === 0 ? info.byteLength : spans[spans.length - 1].strideBits / 8;
  return {
    shape: info.shape.flatMap((size, dim) => sliceSize(slices[dim], size)),
    byteLength: taken * innerBytes,
    ranges: () => (spans.length === 0 ? [[0, info.byteLength]] : enumerate(spans, 0, 0)),
  };
}

function isWhole(span: Span, size: number): boolean {
  return span.start === 0 && span.stop === size;
}

function sliceSize(slice: DimensionSlice | undefined, size: number): number[] {
  if (typeof slice === 'number') {
    return [];
  }
  return [(slice?.stop ?? size) - (slice?.start ?? 0)];
}

function resolve(info: TensorInfo, slice: DimensionSlice, dim: number): { start: number; stop: number } {
  const size = info.shape[dim];
  const start = typeof slice === 'number' ? slice : (slice.start ?? 0);
  const stop = typeof slice === 'number' ? slice + 1 : (slice.stop ?? size);
  const isInside = Number.isInteger(start) && Number.isInteger(stop) && start >= 0 && start < size && stop <= size;
  if (!isInside || stop < start) {
    const asked = typeof slice === 'number' ? `index ${slice}` : `range ${start}:${stop}`;
    const problem = `${asked} is outside dimension ${dim} of size ${size}`;
    throw new CheckpointError('SliceOutOfRange', info.file, `tensor ${quote(info.name)}: ${problem}`);
  }
  return { start, stop };
}

function* enumerate(spans: readonly Span[], depth: number, baseBits: number): Iterable<ByteRange> {
  const { start, stop, strideBits } = spans[depth];
  if (depth === spans.length - 1) {
    yield [(baseBits + start * strideBits) / 8, (baseBits + stop * strideBits) / 8];
    return;
  }
  for (let index = start; index < stop; index++) {
    yield* enumerate(spans, depth + 1, baseBits + index * strideBits);
  }
}
