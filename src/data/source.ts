/** What every source of images is to the rest of the suite: labels in memory, and images that loader threads can reach. */
import { DataError } from '../base/errors.js';
import { printable } from '../base/text.js';
import type { SampleBlocks } from './order.js';
import type { RawShape, Records } from './records.js';

/** Class of each image, 0 .. classes - 1. */
export type Labels = Uint8Array | Int32Array;

/** What is known of every source without looking at an image. */
export interface SourceFacts {
  /** For messages: the file or folder, or what was drawn. */
  readonly name: string;
  /** Number of images. */
  readonly count: number;
  readonly classes: number;
  /** Names of the classes, where the source or a file has them. */
  readonly classNames?: readonly string[] | undefined;
  /** Whether these are names of folders. */
  readonly areFolders?: boolean;
  /** `[count]` */
  readonly labels: Labels;
  /** Samples that are not counted, since they have no image or no label; absent: none. */
  readonly leftOut?: readonly LeftOut[];
  /** What else a user should know of the files, a line each; absent: nothing. */
  readonly notes?: readonly string[];
}

/** A sample that a source could not take up. */
export interface LeftOut {
  /** Its place in a file. */
  readonly name: string;
  readonly reason: string;
}

/**
 * The error of a source that is left with nothing.
 *
 * @param name of the source
 * @param what it should hold
 * @param hint settings that may be wrong
 */
export function nothingLeft(name: string, what: string, leftOut: readonly LeftOut[], hint: string): DataError {
  const [first] = leftOut;
  const why = first
    ? `: ${leftOut.length} left out, the first, ${printable(first.name)}, ${first.reason}; correct ${hint}, or repair the files`
    : '';
  return new DataError(`${printable(name)}: holds no ${what}${why}`);
}

/** Labelled images of one size in memory, 8 bits a channel. */
export interface RasterSource extends SourceFacts {
  readonly kind: 'raster';
  readonly channels: number;
  /** Pixels. */
  readonly height: number;
  /** Pixels. */
  readonly width: number;
  /** `[count, channels, height, width]`, 0..255, in shared memory: worker threads read it without a copy. */
  readonly pixels: Uint8Array<SharedArrayBuffer>;
  /** Copies image `index` to the front of `out`, `[channels, height, width]`. */
  read(index: number, out: Uint8Array): void;
}

/** Images that are read when they are needed, one record each, of any size. */
export interface RecordSource extends SourceFacts {
  readonly kind: 'records';
  /** Channels of a prepared image: 1 or 3 for image files, whatever the raw records have. */
  readonly channels: number;
  /** Where they lie. */
  readonly records: Records;
  /** Parts that are read as a whole; absent: every image can be reached by itself. */
  readonly blocks?: SampleBlocks;
  /** Bytes of record `index`: with the name, what tells one version of a data set from another. */
  bytesOf(index: number): number;
}

export type ImageSource = RasterSource | RecordSource;

/**
 * Bytes of images that are held in memory, where they are reached fastest; MNIST has 47 MB. Of more, each is read when it is
 * needed.
 */
export const IN_MEMORY = 128 * 2 ** 20;

/** Memory that threads share, for the pixels of a source. */
export function allocatePixels(bytes: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(bytes));
}

/** Size of all images of a source in pixels, where they have one; image files have none. */
export function ownSize(source: ImageSource): RawShape | undefined {
  if (source.kind === 'raster') return source;
  return 'raw' in source.records ? source.records.raw : undefined;
}

/** A source from its parts. `pixels` and `labels` must be filled; they are not copied. */
export function memorySource(parts: Omit<RasterSource, 'kind' | 'count' | 'read'>): RasterSource {
  const bytes = parts.channels * parts.height * parts.width;
  const count = parts.labels.length;
  if (parts.pixels.length !== count * bytes) {
    throw new RangeError(`memorySource: ${parts.pixels.length} pixels are not ${count} images of ${bytes}`);
  }
  return {
    ...parts,
    kind: 'raster',
    count,
    read(index, out) {
      if (!(index >= 0 && index < count)) throw new RangeError(`${parts.name}: no image ${index} among ${count}`);
      out.set(parts.pixels.subarray(index * bytes, (index + 1) * bytes));
    },
  };
}
