/** Makes the pixels of one batch; runs in the loader's threads, or on the calling thread when there are none. */
import { createRng, type Rng } from '../base/rng.js';
import { inChannels, mirror, pictureFrom } from './augment/arrange.js';
import { changePicture, changesPixels, eraseSome } from './augment/changes.js';
import { type EvalFraming, evalFraming, trainFraming } from './framing.js';
import { drawMix, mixPatches } from './mix.js';
import { type PatchShape, patchCount, patchDim, writeImage, writePicture } from './patches.js';
import { type Framer, type Picture, readPicture } from './picture.js';
import { openRecords, type RawShape, type RecordReader, type Records } from './records.js';
import type { ImageSource } from './source.js';
import { type Augment, drawAugment, drawKey, UNCHANGED } from './transforms.js';

/** Images that lie in memory, all of one size. */
export interface MemoryImages {
  readonly kind: 'memory';
  /** `[count, channels, height, width]` */
  readonly pixels: Uint8Array<SharedArrayBuffer>;
  readonly raw: RawShape;
}

/** The images of a source as threads get them. */
export function imagesOf(source: ImageSource): MemoryImages | Records {
  if (source.kind === 'records') return source.records;
  const { pixels, channels, height, width } = source;
  return { kind: 'memory', pixels, raw: { channels, height, width } };
}

/** All that is the same for every batch of a loader; crosses to the threads once, what is large as shared memory. */
export interface AssemblySpec {
  readonly images: MemoryImages | Records;
  readonly shape: PatchShape;
  /** `[channels, 256]` */
  readonly table: Float32Array;
  /** Null: images are those of an evaluation. */
  readonly augment: Augment | null;
  /** Null: images have the size of the model's input already. */
  readonly framing: EvalFraming | null;
  readonly seed: number;
  /** Images of which one may stand in for one that cannot be read, by index in the source; null: its slot stays zero. */
  readonly substitutes: Uint32Array | null;
}

/** One batch to make. */
export interface AssemblyJob {
  readonly epoch: number;
  /** Position of the batch in its epoch. */
  readonly batch: number;
  /** Samples by index in the source, at most `shape.batch`; the slots after them stay zero. */
  readonly indices: Uint32Array;
}

/** An image that could not be read. */
export interface BrokenImage {
  /** Position in the job. */
  readonly slot: number;
  /** In the source. */
  readonly index: number;
  readonly reason: string;
  /** The image that stands in for it, by index in the source. */
  readonly substitute?: number;
  /** Images tried in its place, of which none could be read either. */
  readonly tried?: number;
}

/** What a thread gives back. */
export interface Assembled {
  /** `[patches, batch, patch_dim]`; slots of broken images are zero. */
  readonly patches: Float32Array<ArrayBuffer>;
  readonly broken: readonly BrokenImage[];
  /** Each image is mixed with that in the mirrored slot; `lambda` is its own share. */
  readonly mix?: { readonly lambda: number };
}

/** A sample at one of its places in an epoch. */
interface Shown {
  readonly epoch: number;
  /** In the source. */
  readonly index: number;
  /** Which of its places it is, from 0. */
  readonly repeat: number;
}

/** Images from outside its batch that are tried in the place of one that cannot be read. */
const MOST_DRAWN = 100;
/** Images under way on one thread: while some are read, another is decoded. */
const AT_A_TIME = 4;

/** Makes batches; keeps files open between them. */
export class Assembler {
  readonly #spec: AssemblySpec;
  readonly #reader: RecordReader | undefined;
  /** Images of all batches asked for, in their order: an earlier batch must not wait for a later one. */
  readonly #queue: (() => Promise<void>)[] = [];
  #underWay = 0;

  constructor(spec: AssemblySpec) {
    this.#spec = spec;
    this.#reader = spec.images.kind === 'memory' ? undefined : openRecords(spec.images);
  }

  /** Never fails for an image: what cannot be read is told. */
  async make(job: AssemblyJob): Promise<Assembled> {
    const { shape, augment, seed } = this.#spec;
    const { epoch, batch, indices } = job;
    const patches = new Float32Array(patchCount(shape) * shape.batch * patchDim(shape));
    const broken: BrokenImage[] = [];
    const filled = Array.from(indices, (_, slot) =>
      this.#inTurn(async () => {
        const failure = await this.#fill(patches, slot, job);
        if (failure) broken.push(failure);
      }),
    );
    await Promise.all(filled);
    const mix = augment?.mix ? drawMix(augment.mix, shape, { seed, epoch, index: batch }) : undefined;
    if (mix) mixPatches(patches, shape, mix);
    return {
      patches,
      // In the order of the batch, whichever was found first.
      broken: broken.sort((a, b) => a.slot - b.slot),
      ...(mix ? { mix: { lambda: mix.lambda } } : {}),
    };
  }

  async close(): Promise<void> {
    await this.#reader?.close();
  }

  /** Does it once what was asked for before has been begun, and not too much is under way. */
  #inTurn(task: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push(() => task().then(resolve, reject));
      if (this.#underWay < AT_A_TIME) this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#underWay++;
    for (let task = this.#queue.shift(); task; task = this.#queue.shift()) await task();
    this.#underWay--;
  }

  /** Writes the image of a slot, or another one in its place. */
  async #fill(out: Float32Array, slot: number, job: AssemblyJob): Promise<BrokenImage | undefined> {
    const { shape, augment, substitutes } = this.#spec;
    const { epoch, batch, indices } = job;
    const index = indices[slot];
    const shown = { epoch, index, repeat: (batch * shape.batch + slot) % (augment?.repeats ?? 1) };
    try {
      await this.#write(out, slot, shown);
      return undefined;
    } catch (error) {
      const failure = { slot, index, reason: error instanceof Error ? error.message : String(error) };
      return substitutes ? this.#substitute(out, failure, shown, { batch: indices, all: substitutes }) : failure;
    }
  }

  /** Which image stands in depends on nothing but the sample, its batch and the images in use: not on threads. */
  async #substitute(
    out: Float32Array,
    failure: BrokenImage,
    { epoch, index, repeat }: Shown,
    from: { readonly batch: Uint32Array; readonly all: Uint32Array },
  ): Promise<BrokenImage> {
    const rng = createRng(this.#spec.seed, 'substitute', ...drawKey(epoch, index, repeat));
    const tried = new Set([index]);
    for (const candidate of candidates(from, rng)) {
      if (tried.has(candidate)) continue;
      tried.add(candidate);
      try {
        await this.#write(out, failure.slot, { epoch, index: candidate, repeat });
        return { ...failure, substitute: candidate };
      } catch {
        // It is told in its own slot.
      }
    }
    return { ...failure, tried: tried.size - 1 };
  }

  async #write(out: Float32Array, slot: number, { epoch, index, repeat }: Shown): Promise<void> {
    const { images, shape, table, augment, framing, seed } = this.#spec;
    const bytes = await this.#bytes(index);
    const raw = 'raw' in images ? images.raw : undefined;
    const isChanged = augment !== null && changesPixels(augment);
    const key = drawKey(epoch, index, repeat);
    if (framing === null) {
      if (!raw) throw new TypeError('images of files have no size of their own');
      const draw = augment === null ? UNCHANGED : drawAugment(augment, seed, epoch, index, repeat);
      if (isChanged) this.#writeChanged(out, slot, pictureFrom(bytes, raw, draw), augment, key);
      else writeImage(out, shape, slot, bytes, raw.channels, draw, table);
    } else {
      const rng = createRng(seed, 'frame', ...key);
      const frame: Framer = (height, width) =>
        augment?.randomResizedCrop
          ? trainFraming(augment.randomResizedCrop, { ...framing, ...augment }, { height, width, rng })
          : evalFraming(framing, height, width);
      const channels = raw?.channels ?? (shape.channels === 1 ? 1 : 3);
      const picture = await readPicture(bytes, { raw, channels, frame });
      const flip = augment !== null && drawAugment({ padCrop: 0, flip: augment.flip }, seed, epoch, index, repeat).flip;
      if (isChanged) {
        if (flip) mirror(picture);
        this.#writeChanged(out, slot, picture, augment, key);
      } else {
        writePicture(out, shape, slot, picture.data, picture.channels, flip, table);
      }
    }
    if (augment?.erasing) eraseSome(out, shape, slot, augment.erasing, seed, key);
  }

  /** Writes a picture that is framed and mirrored already. */
  #writeChanged(out: Float32Array, slot: number, picture: Picture, augment: Augment, key: readonly number[]): void {
    const { shape, table, seed } = this.#spec;
    const { data, channels } = changePicture(inChannels(picture, shape.channels), augment, seed, key);
    writePicture(out, shape, slot, data, channels, false, table);
  }

  #bytes(index: number): Promise<Uint8Array> | Uint8Array {
    const { images } = this.#spec;
    if (images.kind !== 'memory') return (this.#reader as RecordReader).read(index);
    const { channels, height, width } = images.raw;
    const size = channels * height * width;
    return images.pixels.subarray(index * size, (index + 1) * size);
  }
}

/** The images of the batch in random order, and after them others, each once: at most {@link MOST_DRAWN}. */
function* candidates(
  { batch, all }: { readonly batch: Uint32Array; readonly all: Uint32Array },
  rng: Rng,
): Generator<number, void, undefined> {
  yield* rng.shuffle(batch.slice());
  const drawn = new Set<number>();
  while (drawn.size < Math.min(MOST_DRAWN, all.length)) {
    const place = rng.int(all.length);
    if (drawn.has(place)) continue;
    drawn.add(place);
    yield all[place];
  }
}
