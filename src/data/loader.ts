/**
 * Batches in the model's layout, made ahead of time in worker threads. A batch is a pure function of (data set, seed,
 * epoch, index): how many threads make it, and what was loaded before, changes nothing.
 */
import { ConfigError, DataError } from '../base/errors.js';
import { createRng } from '../base/rng.js';
import { WorkerPool } from '../base/worker-pool.js';
import { type AssemblyJob, type AssemblySpec, assemble } from './assemble.js';
import type { Dataset } from './dataset.js';
import { checkPatchShape } from './patches.js';

/** Batches made ahead: enough to ride out a slow one (a garbage collection, a busy core) without a wait. */
const DEFAULT_PREFETCH = 3;

export interface LoaderOptions {
  readonly dataset: Dataset;
  /**
   * `train`: a new order every epoch, augmentation on, an incomplete last batch left out.
   * `eval`: source order, no augmentation, the last batch padded with zeros.
   */
  readonly mode: 'train' | 'eval';
  /** Images per batch. */
  readonly batch: number;
  /** Patch side, pixels. */
  readonly patch: number;
  readonly seed: number;
  /** Threads; 0 makes batches on the calling thread. Default 1. */
  readonly workers?: number;
  /** Most batches made ahead of the one the caller works on. Default 3. */
  readonly prefetch?: number;
}

/** One batch; its arrays belong to the receiver. */
export interface Batch {
  /** `[patches, batch, patch_dim]`, zero in the slots from `size` on. */
  readonly patches: Float32Array;
  /** `[batch]`, zero in the slots from `size` on. */
  readonly labels: Int32Array;
  /** Samples in the batch; below `batch` only in the last one of an evaluation. */
  readonly size: number;
  /** `[size]`: index of each sample in the source, whatever the subset. */
  readonly indices: Uint32Array;
  readonly epoch: number;
  /** Position of the batch in its epoch. */
  readonly index: number;
}

/** Gives the batches of a data set, epoch by epoch. `close` ends its threads. */
export class Loader {
  /** Batches in every epoch. */
  readonly batchesPerEpoch: number;
  readonly #options: LoaderOptions;
  readonly #spec: AssemblySpec;
  #pool: WorkerPool<AssemblyJob, Float32Array> | undefined;
  #closed = false;

  /**
   * @throws {ConfigError} if the images do not divide into patches, or a training set does not fill one batch.
   */
  constructor(options: LoaderOptions) {
    const { dataset, mode, batch, patch, seed } = options;
    const { source, channels, table } = dataset;
    const shape = { batch, channels, height: source.height, width: source.width, patch };
    checkPatchShape(shape);
    const samples = dataset.indices.length;
    if (mode === 'train' && samples < batch) {
      throw new ConfigError(
        `batch: ${batch} is more than the ${samples} training images in use; choose a smaller batch`,
      );
    }
    this.#options = options;
    this.batchesPerEpoch = mode === 'train' ? Math.floor(samples / batch) : Math.ceil(samples / batch);
    const augment = mode === 'train' && (dataset.augment.padCrop > 0 || dataset.augment.flip) ? dataset.augment : null;
    this.#spec = { pixels: source.pixels, sourceChannels: source.channels, shape, table, augment, seed };
  }

  /**
   * The batches of one epoch in order. Leaving the loop early is fine: what was made ahead is dropped.
   *
   * @param options.startBatch first batch to yield, to resume within an epoch; default 0.
   * @throws {DataError} if a thread fails or the loader is closed.
   */
  async *epoch(epoch: number, options: { readonly startBatch?: number } = {}): AsyncGenerator<Batch, void, undefined> {
    const { startBatch = 0 } = options;
    if (!(Number.isInteger(startBatch) && startBatch >= 0 && startBatch <= this.batchesPerEpoch)) {
      throw new RangeError(`Loader.epoch: startBatch must be in 0..${this.batchesPerEpoch}, got ${startBatch}`);
    }
    const { workers = 1, prefetch = DEFAULT_PREFETCH } = this.#options;
    const order = this.#order(epoch);
    // Without threads nothing is gained by making a batch before it is asked for.
    const ahead = workers === 0 ? 0 : Math.max(1, prefetch);
    const queue: Promise<Batch>[] = [];
    let next = startBatch;
    const fill = (length: number) => {
      while (queue.length < length && next < this.batchesPerEpoch) queue.push(this.#make(order, epoch, next++));
    };
    for (let index = startBatch; index < this.batchesPerEpoch; index++) {
      fill(Math.max(1, ahead));
      const batch = await queue.shift();
      // Before the caller gets to work, so that the threads have as much to do as they may.
      fill(ahead);
      if (batch) yield batch;
    }
  }

  /** Ends the threads. May be called again; a loop still running ends with a `DataError`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool?.close();
  }

  /** The samples of `epoch` in their order, indices into the source. */
  #order(epoch: number): Uint32Array {
    const { dataset, mode, seed } = this.#options;
    if (mode === 'eval') return dataset.indices;
    return createRng(seed, 'shuffle', epoch).shuffle(dataset.indices.slice());
  }

  #make(order: Uint32Array, epoch: number, index: number): Promise<Batch> {
    const { batch, dataset } = this.#options;
    const indices = order.slice(index * batch, (index + 1) * batch);
    const labels = new Int32Array(batch);
    for (let slot = 0; slot < indices.length; slot++) labels[slot] = dataset.source.labels[indices[slot]];
    const made = this.#patches({ epoch, indices }).then((patches) => ({
      patches,
      labels,
      size: indices.length,
      indices,
      epoch,
      index,
    }));
    // A batch made ahead may fail after its loop was left; whoever awaits it still gets the error.
    made.catch(() => undefined);
    return made;
  }

  async #patches(job: AssemblyJob): Promise<Float32Array> {
    const { workers = 1 } = this.#options;
    if (this.#closed) throw new DataError('the data loader is closed');
    if (workers === 0) return assemble(this.#spec, job);
    this.#pool ??= new WorkerPool({
      name: 'data loader thread',
      url: new URL('./loader-worker.js', import.meta.url),
      threads: workers,
      workerData: this.#spec,
      failure: (message) => new DataError(message),
    });
    return this.#pool.run(job);
  }
}
