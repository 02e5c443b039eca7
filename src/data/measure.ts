/** Measures images one by one: their own sizes, and sums over the pixels that a model would see of them. */
import { imagesOf, type MemoryImages } from './assemble.js';
import type { Dataset } from './dataset.js';
import { type EvalFraming, evalFraming } from './framing.js';
import { fitsAsItIs } from './loader.js';
import { type Picture, readPicture } from './picture.js';
import { openRecords, type RawShape, type RecordReader, type Records } from './records.js';

/** What is the same for all images of a data set; crosses to the threads once. */
export interface MeasureSpec {
  readonly images: MemoryImages | Records;
  /** Null: images have the size of the model's input already. */
  readonly framing: EvalFraming | null;
  /** Of the images, before a single one is repeated. */
  readonly channels: number;
}

/** Images to measure. */
export interface MeasureJob {
  /** Samples by index in the source. */
  readonly indices: Uint32Array;
}

/** What was found. All sums are of whole numbers, so they do not depend on the order of adding. */
export interface Measured {
  /** `[images]`: pixels; 0 of an image that cannot be read. */
  readonly heights: Uint32Array;
  /** `[images]` */
  readonly widths: Uint32Array;
  /** `[channels]`: of pixel values 0..255, framed as in evaluation. */
  readonly sums: Float64Array;
  /** `[channels]`: of their squares. */
  readonly squares: Float64Array;
  /** Pixels of one channel that the sums are over. */
  readonly pixels: number;
  /** Images that cannot be read: position in the job, and why. */
  readonly broken: readonly { readonly slot: number; readonly reason: string }[];
}

/** Images decoded side by side on one thread. */
const AT_A_TIME = 4;

/** What threads need to know of a data set; training images are taken without their random changes. */
export function measureSpec(dataset: Dataset): MeasureSpec {
  const { source, framing } = dataset;
  const { channels } = source;
  return { images: imagesOf(source), framing: fitsAsItIs(dataset, 'eval') ? null : framing, channels };
}

/** Measures images; keeps files open between jobs. */
export class Measurer {
  readonly #spec: MeasureSpec;
  readonly #reader: RecordReader | undefined;

  constructor(spec: MeasureSpec) {
    this.#spec = spec;
    this.#reader = spec.images.kind === 'memory' ? undefined : openRecords(spec.images);
  }

  /** Never fails for an image: what cannot be read is told. */
  async measure({ indices }: MeasureJob): Promise<Measured> {
    const { channels } = this.#spec;
    const [heights, widths] = [new Uint32Array(indices.length), new Uint32Array(indices.length)];
    const [sums, squares] = [new Float64Array(channels), new Float64Array(channels)];
    const broken: { slot: number; reason: string }[] = [];
    let pixels = 0;
    let next = 0;
    const work = async () => {
      while (next < indices.length) {
        const slot = next++;
        try {
          const { height, width, picture } = await this.#see(indices[slot]);
          heights[slot] = height;
          widths[slot] = width;
          addPixels(picture, sums, squares);
          pixels += picture.height * picture.width;
        } catch (error) {
          broken.push({ slot, reason: error instanceof Error ? error.message : String(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_A_TIME, indices.length) }, work));
    broken.sort((a, b) => a.slot - b.slot);
    return { heights, widths, sums, squares, pixels, broken };
  }

  async close(): Promise<void> {
    await this.#reader?.close();
  }

  /** An image as a model sees it, and the size that it has itself. */
  async #see(index: number): Promise<{ height: number; width: number; picture: Picture }> {
    const { images, framing, channels } = this.#spec;
    const raw = 'raw' in images ? images.raw : undefined;
    const bytes = await this.#bytes(index);
    let own: readonly [number, number] = [0, 0];
    const frame = (height: number, width: number) => {
      own = [height, width];
      return framing ? evalFraming(framing, height, width) : { size: own, interpolation: 'nearest' as const };
    };
    const picture = await readPicture(bytes, { raw, channels, frame });
    return { height: own[0], width: own[1], picture };
  }

  #bytes(index: number): Promise<Uint8Array> | Uint8Array {
    const { images } = this.#spec;
    if (images.kind !== 'memory') return (this.#reader as RecordReader).read(index);
    const size = pixelBytes(images.raw);
    return images.pixels.subarray(index * size, (index + 1) * size);
  }
}

function pixelBytes({ channels, height, width }: RawShape): number {
  return channels * height * width;
}

function addPixels({ data, channels }: Picture, sums: Float64Array, squares: Float64Array): void {
  for (let c = 0; c < channels; c++) {
    let [sum, square] = [0, 0];
    for (let i = c; i < data.length; i += channels) {
      const value = data[i];
      sum += value;
      square += value * value;
    }
    sums[c] += sum;
    squares[c] += square;
  }
}
