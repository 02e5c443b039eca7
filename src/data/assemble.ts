/** Makes the pixels of one batch; runs in the loader's threads, or on the calling thread when there are none. */
import { type PatchShape, patchCount, patchDim, writeImage } from './patches.js';
import { type Augment, drawAugment, UNCHANGED } from './transforms.js';

/** All that is the same for every batch of a loader; crosses to the threads once, the pixels as shared memory. */
export interface AssemblySpec {
  /** `[count, sourceChannels, height, width]` */
  readonly pixels: Uint8Array<SharedArrayBuffer>;
  readonly sourceChannels: number;
  readonly shape: PatchShape;
  /** `[channels, 256]` */
  readonly table: Float32Array;
  /** Null: images stay as they are. */
  readonly augment: Augment | null;
  readonly seed: number;
}

/** One batch to make. */
export interface AssemblyJob {
  readonly epoch: number;
  /** Samples by index in the source, at most `shape.batch`; the slots after them stay zero. */
  readonly indices: Uint32Array;
}

/** @returns `[patches, batch, patch_dim]` */
export function assemble(spec: AssemblySpec, { epoch, indices }: AssemblyJob): Float32Array<ArrayBuffer> {
  const { shape, pixels, sourceChannels, table, augment, seed } = spec;
  const bytes = sourceChannels * shape.height * shape.width;
  const out = new Float32Array(patchCount(shape) * shape.batch * patchDim(shape));
  for (let slot = 0; slot < indices.length; slot++) {
    const sample = indices[slot];
    const image = pixels.subarray(sample * bytes, (sample + 1) * bytes);
    const draw = augment === null ? UNCHANGED : drawAugment(augment, seed, epoch, sample);
    writeImage(out, shape, slot, image, sourceChannels, draw, table);
  }
  return out;
}
