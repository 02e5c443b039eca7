/** What every source of images is to the rest of the suite: raw 8-bit pixels and labels, in memory that threads share. */
import { DataError } from '../base/errors.js';

/** Class of each image, 0 .. classes - 1. */
export type Labels = Uint8Array | Int32Array;

/** Labelled images of one size in memory, 8 bits a channel. */
export interface ImageSource {
  /** For messages: the image file, or what was drawn. */
  readonly name: string;
  /** Number of images. */
  readonly count: number;
  readonly classes: number;
  readonly channels: number;
  /** Pixels. */
  readonly height: number;
  /** Pixels. */
  readonly width: number;
  /** `[count]` */
  readonly labels: Labels;
  /** `[count, channels, height, width]`, 0..255, in shared memory: worker threads read it without a copy. */
  readonly pixels: Uint8Array<SharedArrayBuffer>;
  /** Copies image `index` to the front of `out`, `[channels, height, width]`. */
  read(index: number, out: Uint8Array): void;
}

/** Bytes of pixels a source may hold; all of them stay in memory. */
const MAX_PIXEL_BYTES = 4 * 2 ** 30;

/**
 * Shared memory for the pixels of a source.
 *
 * @throws {DataError} if it would not fit.
 */
export function allocatePixels(name: string, bytes: number): Uint8Array<SharedArrayBuffer> {
  if (bytes > MAX_PIXEL_BYTES) {
    throw new DataError(`${name}: ${bytes} bytes of pixels; sources are held in memory and end at ${MAX_PIXEL_BYTES}`);
  }
  return new Uint8Array(new SharedArrayBuffer(bytes));
}

/** A source from its parts. `pixels` and `labels` must be filled; they are not copied. */
export function memorySource(parts: Omit<ImageSource, 'count' | 'read'>): ImageSource {
  const bytes = parts.channels * parts.height * parts.width;
  const count = parts.labels.length;
  if (parts.pixels.length !== count * bytes) {
    throw new RangeError(`memorySource: ${parts.pixels.length} pixels are not ${count} images of ${bytes}`);
  }
  return {
    ...parts,
    count,
    read(index, out) {
      if (!(index >= 0 && index < count)) throw new RangeError(`${parts.name}: no image ${index} among ${count}`);
      out.set(parts.pixels.subarray(index * bytes, (index + 1) * bytes));
    },
  };
}
