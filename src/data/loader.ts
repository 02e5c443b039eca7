/**
 * Batches in the model's layout, made ahead of time in worker threads. A batch is a pure function of (data set, seed,
 * epoch, index): how many threads make it, and what was loaded before, changes nothing.
 */
import { ConfigError, DataError } from '../base/errors.js';
import { WorkerPool } from '../base/worker-pool.js';
import {
  type Assembled,
  Assembler,
  type AssemblyJob,
  type AssemblySpec,
  type BrokenImage,
  imagesOf,
} from './assemble.js';
import type { Dataset } from './dataset.js';
import { epochOrder } from './order.js';
import { checkPatchShape } from './patches.js';
import { recordName } from './records.js';
import { ownSize } from './source.js';
import { isRandom } from './transforms.js';

/** Batches made ahead: enough to ride out a slow one (a garbage collection, a busy core) without a wait. */
const LEAST_PREFETCH = 3;
/** And for each thread: one that it makes and one that it goes on with. */
const PREFETCH_PER_THREAD = 2;
/** Row groups that are shuffled among each other unless something else is said. */
const DEFAULT_WINDOW = 16;
/** Most memory for batches made ahead, bytes; one is always made. */
const MOST_AHEAD_BYTES = 512 * 2 ** 20;

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
  /** Most batches made ahead of the one the caller works on. Default: 3, or two per thread. */
  readonly prefetch?: number;
  /** Called once for every image that cannot be read and is left out. */
  readonly onBroken?: (image: UnreadableImage) => void;
}

/** An image that was left out. */
export interface UnreadableImage {
  /** Its file, or its place in one. */
  readonly name: string;
  /** In the source. */
  readonly index: number;
  readonly reason: string;
}

/** One batch; its arrays belong to the receiver. */
export interface Batch {
  /** `[patches, batch, patch_dim]`, zero in the slots from `size` on. */
  readonly patches: Float32Array;
  /** `[batch]`, zero in the slots from `size` on; -1 for an image of an evaluation that cannot be read. */
  readonly labels: Int32Array;
  /** Samples in the batch; below `batch` only in the last one of an evaluation. */
  readonly size: number;
  /** `[size]`: index of each sample in the source, whatever the subset; what stands in for an image has its own. */
  readonly indices: Uint32Array;
  /**
   * Present in a batch whose images are mixed: that in `slot` with that in `batch - 1 - slot`, of which it keeps the share
   * `lambda`. `labels` and `indices` are those of the images themselves.
   */
  readonly mix?: { readonly lambda: number };
  readonly epoch: number;
  /** Position of the batch in its epoch. */
  readonly index: number;
}

/** A batch, and the images of it that could not be read. */
interface Made {
  readonly batch: Batch;
  readonly broken: readonly BrokenImage[];
}

/** Gives the batches of a data set, epoch by epoch. `close` ends its threads. */
export class Loader {
  /** Batches in every epoch. */
  readonly batchesPerEpoch: number;
  readonly #options: LoaderOptions;
  readonly #spec: AssemblySpec;
  readonly #prefetch: number;
  readonly #broken = new Set<number>();
  #pool: WorkerPool<AssemblyJob, Assembled> | undefined;
  #own: Assembler | undefined;
  #closed = false;

  /**
   * @throws {ConfigError} if the images do not divide into patches, or a training set does not fill one batch.
   */
  constructor(options: LoaderOptions) {
    const { dataset, mode, batch, patch, seed } = options;
    const { source, channels, table, image } = dataset;
    const [height, width] = image;
    const shape = { batch, channels, height, width, patch };
    checkPatchShape(shape);
    const samples = dataset.indices.length;
    if (mode === 'train' && samples < batch) {
      throw new ConfigError(
        `batch: ${batch} is more than the ${samples} training images in use; choose a smaller batch`,
      );
    }
    this.#options = options;
    this.batchesPerEpoch = mode === 'train' ? Math.floor(samples / batch) : Math.ceil(samples / batch);
    const isTraining = mode === 'train';
    this.#spec = {
      images: imagesOf(source),
      shape,
      table,
      augment: isTraining && isRandom(dataset.augment) ? dataset.augment : null,
      framing: fitsAsItIs(dataset, mode) ? null : dataset.framing,
      seed,
      // Where the first image that cannot be read ends the run, nothing has to stand in for it.
      substitutes: isTraining && dataset.onBroken === 'skip' ? shared(dataset.indices) : null,
    };
    const { workers = 1, prefetch = Math.max(LEAST_PREFETCH, PREFETCH_PER_THREAD * workers) } = options;
    const bytes = batch * channels * height * width * Float32Array.BYTES_PER_ELEMENT;
    // Without threads nothing is gained by making a batch before it is asked for.
    this.#prefetch = workers === 0 ? 0 : Math.max(1, Math.min(prefetch, Math.floor(MOST_AHEAD_BYTES / bytes)));
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
    const order = this.#order(epoch);
    const ahead = this.#prefetch;
    const queue: Promise<Made>[] = [];
    let next = startBatch;
    const fill = (length: number) => {
      while (queue.length < length && next < this.batchesPerEpoch) queue.push(this.#make(order, epoch, next++));
    };
    for (let index = startBatch; index < this.batchesPerEpoch; index++) {
      fill(Math.max(1, ahead));
      const made = await queue.shift();
      // Before the caller gets to work, so that the threads have as much to do as they may.
      fill(ahead);
      if (made) yield this.#checked(made);
    }
  }

  /** Images that could not be read so far, each counted once. */
  get broken(): number {
    return this.#broken.size;
  }

  /** Ends the threads. May be called again; a loop still running ends with a `DataError`. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#pool?.close(), this.#own?.close()]);
  }

  /** The samples of `epoch` in their order, indices into the source; the repetitions of one stand side by side. */
  #order(epoch: number): Uint32Array {
    const { dataset, mode, seed } = this.#options;
    const { source, indices, shuffleWindow: window = DEFAULT_WINDOW } = dataset;
    if (mode === 'eval') return indices;
    const blocks = source.kind === 'records' ? source.blocks : undefined;
    const shuffled = epochOrder({ indices, blocks, window, seed, epoch });
    const { repeats = 1 } = dataset.augment;
    return repeats === 1 ? shuffled : shuffled.map((_, place) => shuffled[Math.floor(place / repeats)]);
  }

  #make(order: Uint32Array, epoch: number, index: number): Promise<Made> {
    const { batch, dataset } = this.#options;
    const indices = order.slice(index * batch, (index + 1) * batch);
    const made = this.#assemble({ epoch, batch: index, indices }).then(({ patches, broken, mix }) => {
      const shown = indices.slice();
      for (const { slot, substitute } of broken) if (substitute !== undefined) shown[slot] = substitute;
      const labels = new Int32Array(batch);
      shown.forEach((sample, slot) => {
        labels[slot] = dataset.source.labels[sample];
      });
      for (const { slot, substitute } of broken) if (substitute === undefined) labels[slot] = -1;
      const found = { patches, labels, size: indices.length, indices: shown, epoch, index };
      return { batch: mix ? { ...found, mix } : found, broken };
    });
    // A batch made ahead may fail after its loop was left; whoever awaits it still gets the error.
    made.catch(() => undefined);
    return made;
  }

  /** Tells of broken images in the order of the batches, whichever thread was done first. */
  #checked({ batch, broken }: Made): Batch {
    const { mode, dataset } = this.#options;
    for (const { index, reason, substitute, tried = 0 } of broken) {
      this.#report(index, reason);
      if (substitute === undefined && mode === 'train') {
        throw new DataError(
          `${this.#nameOf(index)}: ${reason}; nor can any of ${tried} other images be read that were tried in its place; ` +
            `repair the images of data.${dataset.split}, or remove those that are broken`,
        );
      }
    }
    return batch;
  }

  /** @throws DataError unless such images are to be left out. */
  #report(index: number, reason: string): void {
    const { dataset, onBroken } = this.#options;
    const name = this.#nameOf(index);
    if (dataset.onBroken === 'fail') {
      throw new DataError(`${name}: ${reason}; repair or remove it, or set data.on_broken to skip`);
    }
    if (this.#broken.has(index)) return;
    this.#broken.add(index);
    onBroken?.({ name, index, reason });
  }

  #nameOf(index: number): string {
    const { source } = this.#options.dataset;
    return source.kind === 'records' ? recordName(source.records, index) : `${source.name}: image ${index}`;
  }

  async #assemble(job: AssemblyJob): Promise<Assembled> {
    const { workers = 1 } = this.#options;
    if (this.#closed) throw new DataError('the data loader is closed');
    if (workers === 0) {
      this.#own ??= new Assembler(this.#spec);
      return this.#own.make(job);
    }
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

/** Whether pixels go to the model as they lie in the source. */
export function fitsAsItIs({ source, image, augment }: Dataset, mode: 'train' | 'eval'): boolean {
  const own = ownSize(source);
  if (!own || own.height !== image[0] || own.width !== image[1]) return false;
  return mode === 'eval' || !augment.randomResizedCrop;
}

/** The same numbers in memory that threads have in common. */
function shared(values: Uint32Array): Uint32Array<SharedArrayBuffer> {
  const copy = new Uint32Array(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  return copy;
}
