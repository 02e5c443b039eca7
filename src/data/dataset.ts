/** A source, the samples of it that are in use, and how they are prepared: all that a loader needs to know. */
import { createHash } from 'node:crypto';
import type { EvalFraming } from './framing.js';
import { relativeName } from './records.js';
import type { ImageSource, RasterSource, RecordSource } from './source.js';
import type { Augment } from './transforms.js';

/** One split of the `data:` block, ready for a `Loader`. */
export interface Dataset {
  readonly split: 'train' | 'test';
  readonly source: ImageSource;
  /** Samples in use: indices into the source, ascending. */
  readonly indices: Uint32Array;
  /** Height and width of the model's input, pixels. */
  readonly image: readonly [number, number];
  /** Channels handed to the model: the source's, or more if its one channel is repeated. */
  readonly channels: number;
  /** `[channels, 256]`: the normalised value of every pixel value. */
  readonly table: Float32Array;
  /** Applied in training mode only. */
  readonly augment: Augment;
  /** How images become `image` in evaluation, where they do not have that size. */
  readonly framing: EvalFraming;
  /** Blocks whose images are shuffled among each other, where the source has blocks. Default 16. */
  readonly shuffleWindow?: number;
  /** What is done about an image that cannot be read. */
  readonly onBroken: 'fail' | 'skip';
  /**
   * SHA-256 (hex) of the samples in use: indices and labels, shape and pixels of images in memory (the same for plain and
   * gzip files), name and length of images that are read one by one. Whatever the transforms. Computed on the first call.
   */
  sha256(): string;
}

/** Digest of the named samples of a source; see `Dataset.sha256`. */
export function sampleSha256(source: ImageSource, indices: Uint32Array): string {
  return source.kind === 'raster' ? rasterSha256(source, indices) : recordsSha256(source, indices);
}

function rasterSha256(source: RasterSource, indices: Uint32Array): string {
  const { channels, height, width, classes } = source;
  const bytes = channels * height * width;
  const hash = createHash('sha256').update(
    JSON.stringify({ samples: indices.length, channels, height, width, classes }),
  );
  hash.update(indices).update(Int32Array.from(indices, (index) => source.labels[index]));
  // Neighbours in one go: usually that is the whole source.
  for (let first = 0; first < indices.length; ) {
    let last = first;
    while (last + 1 < indices.length && indices[last + 1] === indices[last] + 1) last++;
    hash.update(source.pixels.subarray(indices[first] * bytes, (indices[last] + 1) * bytes));
    first = last + 1;
  }
  return hash.digest('hex');
}

/** Names without the folder that they lie in, so that a data set may be moved. */
function recordsSha256({ records, classes, labels, bytesOf }: RecordSource, indices: Uint32Array): string {
  const hash = createHash('sha256').update(JSON.stringify({ samples: indices.length, classes }));
  for (const index of indices) {
    hash.update(`${relativeName(records, index)}\n${bytesOf(index)} ${labels[index]}\n`);
  }
  return hash.digest('hex');
}
