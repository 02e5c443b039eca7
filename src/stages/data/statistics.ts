/** Sizes of images, mean and deviation of their pixels, and which of them cannot be read. */
import { availableParallelism } from 'node:os';
import { DataError, InterruptedError } from '../../base/errors.js';
import { WorkerPool } from '../../base/worker-pool.js';
import type { DataConfig } from '../../config/index.js';
import { type Dataset, openData } from '../../data/index.js';
import { type Measured, type MeasureJob, measureSpec } from '../../data/measure.js';
import { recordName } from '../../data/records.js';
import { warnOfFiles } from '../broken-images.js';
import type { StageContext } from '../context.js';
import type { Split } from './list.js';

/** Images that one job measures: enough to forget the cost of a message, few enough for progress to be seen. */
const IMAGES_PER_JOB = 32;
/** Jobs that a thread has at a time, so that it never waits for the next. */
const JOBS_PER_THREAD = 2;
/** Images that are named if they cannot be read; beyond that they are counted. */
const MOST_NAMED = 1000;
/** Sizes that are told. */
const MOST_SIZES = 5;

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** What was measured of a split. */
export interface DataStatistics {
  readonly split: Split;
  readonly name: string;
  /** In use. */
  readonly images: number;
  /** Images that were looked at and could be read. */
  readonly measured: number;
  /** Images that cannot be read, and samples that lack an image or a class: how many, and the first thousand of them. */
  readonly broken: { readonly count: number; readonly images: readonly { name: string; reason: string }[] };
  /** Of the images themselves, pixels; null when not one can be read. */
  readonly height: Spread | null;
  readonly width: Spread | null;
  /** The most frequent first. */
  readonly sizes: readonly { readonly height: number; readonly width: number; readonly images: number }[];
  /** Different sizes in all. */
  readonly differentSizes: number;
  /** Height and width that a model sees, pixels; what follows is of such images, framed as in evaluation. */
  readonly image: readonly [number, number];
  /** Of each channel of the source, pixels in 0..1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** What the settings say. */
  readonly settings: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

export interface StatisticsOptions {
  readonly split: Split;
  /** Most images to look at, spread evenly over those in use; absent: all. */
  readonly limit?: number | undefined;
}

/**
 * Measures a split in `data.workers` threads, at least one. Of the images, only their sizes stay in memory. The result does
 * not depend on the number of threads.
 *
 * @throws ConfigError, DataError when the data cannot be opened; InterruptedError
 */
export async function measureData(
  { data, seed }: { readonly data: DataConfig; readonly seed: number },
  { split, limit }: StatisticsOptions,
  context: StageContext,
): Promise<DataStatistics> {
  context.emit({ type: 'phase', text: `opening the ${split} split` });
  const dataset = await openData({ ...data, on_broken: 'skip' }, split, { seed });
  const indices = spreadOver(dataset.indices, limit ?? dataset.indices.length);
  warnOfFiles([dataset], context);
  context.emit({ type: 'phase', text: `measuring ${indices.length} images` });
  const sum = new Sum(dataset, indices);
  const threads = Math.min(Math.max(1, data.workers), availableParallelism());
  for await (const [first, found] of measureAll(dataset, indices, threads)) {
    if (context.signal.aborted) throw new InterruptedError('stopped before all images were measured');
    sum.add(first, found);
    const done = Math.min(first + IMAGES_PER_JOB, indices.length);
    context.emit({ type: 'evaluating', done, total: indices.length, verb: 'measured' });
  }
  return { ...sum.result(), split, settings: { mean: data.mean, std: data.std } };
}

/** Evenly spaced members, so that sources which are sorted by class give of all classes. */
function spreadOver(indices: Uint32Array, most: number): Uint32Array {
  if (most >= indices.length) return indices;
  return Uint32Array.from({ length: most }, (_, i) => indices[Math.floor((i * indices.length) / most)]);
}

/** Jobs in order: position of the first image, and what was found. */
async function* measureAll(
  dataset: Dataset,
  indices: Uint32Array,
  threads: number,
): AsyncGenerator<readonly [number, Measured]> {
  const pool = new WorkerPool<MeasureJob, Measured>({
    name: 'measuring thread',
    url: new URL('../../data/measure-worker.js', import.meta.url),
    threads,
    workerData: measureSpec(dataset),
    failure: (message) => new DataError(message),
  });
  try {
    const queue: Promise<Measured>[] = [];
    let next = 0;
    for (let first = 0; first < indices.length; first += IMAGES_PER_JOB) {
      for (; queue.length < threads * JOBS_PER_THREAD && next < indices.length; next += IMAGES_PER_JOB) {
        const made = pool.run({ indices: indices.slice(next, next + IMAGES_PER_JOB) });
        // One that fails while an earlier one is waited for is told when its turn comes.
        made.catch(() => undefined);
        queue.push(made);
      }
      const found = await queue.shift();
      if (found) yield [first, found];
    }
  } finally {
    await pool.close();
  }
}

/** Adds up what jobs found. */
class Sum {
  readonly #dataset: Dataset;
  readonly #indices: Uint32Array;
  readonly #heights: Uint32Array;
  readonly #widths: Uint32Array;
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  readonly #broken: { name: string; reason: string }[] = [];
  #brokenCount = 0;
  #read = 0;
  #pixels = 0;

  constructor(dataset: Dataset, indices: Uint32Array) {
    const { channels, leftOut = [] } = dataset.source;
    this.#dataset = dataset;
    this.#indices = indices;
    [this.#heights, this.#widths] = [new Uint32Array(indices.length), new Uint32Array(indices.length)];
    [this.#sums, this.#squares] = [new Float64Array(channels), new Float64Array(channels)];
    for (const { name, reason } of leftOut) this.#tell(name, reason);
  }

  add(first: number, { heights, widths, sums, squares, pixels, broken }: Measured): void {
    for (const { slot, reason } of broken) this.#tell(this.#nameOf(this.#indices[first + slot]), reason);
    for (let slot = 0; slot < heights.length; slot++) {
      if (heights[slot] === 0) continue;
      this.#heights[this.#read] = heights[slot];
      this.#widths[this.#read++] = widths[slot];
    }
    this.#pixels += pixels;
    for (let c = 0; c < sums.length; c++) {
      this.#sums[c] += sums[c];
      this.#squares[c] += squares[c];
    }
  }

  result(): Omit<DataStatistics, 'split' | 'settings'> {
    const { source, image, indices } = this.#dataset;
    const [heights, widths] = [this.#heights.subarray(0, this.#read), this.#widths.subarray(0, this.#read)];
    const sizes = countSizes(heights, widths);
    const mean = Array.from(this.#sums, (sum) => (this.#pixels === 0 ? 0 : sum / this.#pixels));
    const std = Array.from(this.#squares, (sum, c) =>
      this.#pixels === 0 ? 0 : Math.sqrt(Math.max(0, sum / this.#pixels - mean[c] ** 2)),
    );
    return {
      name: source.name,
      images: indices.length,
      measured: this.#read,
      broken: { count: this.#brokenCount, images: this.#broken },
      height: spreadOf(heights),
      width: spreadOf(widths),
      sizes: sizes.slice(0, MOST_SIZES),
      differentSizes: sizes.length,
      image,
      mean: mean.map((value) => value / 255),
      std: std.map((value) => value / 255),
    };
  }

  #tell(name: string, reason: string): void {
    this.#brokenCount++;
    if (this.#broken.length < MOST_NAMED) this.#broken.push({ name, reason });
  }

  #nameOf(index: number): string {
    const { source } = this.#dataset;
    return source.kind === 'records' ? recordName(source.records, index) : `${source.name}: image ${index}`;
  }
}

function spreadOf(values: Uint32Array): Spread | null {
  if (values.length === 0) return null;
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return { min: sorted[0], median, max: sorted[sorted.length - 1] };
}

/** The most frequent first; of equally frequent ones the smaller. */
function countSizes(heights: Uint32Array, widths: Uint32Array) {
  const counts = new Map<number, number>();
  // Sides are below 2^26: both fit into the whole numbers that a double holds.
  heights.forEach((height, i) => {
    const key = height * 2 ** 26 + widths[i];
    counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  return [...counts]
    .sort(([a, often], [b, oftener]) => oftener - often || a - b)
    .map(([key, images]) => ({ height: Math.floor(key / 2 ** 26), width: key % 2 ** 26, images }));
}
