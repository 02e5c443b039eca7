/**
 * The model's input layout: images cut into patches, `[patches, batch, patch_dim]`, patch index outermost. Patches go
 * row by row over the grid; within a patch the order is channel, row, column, that of timm's `patch_embed.proj.weight`
 * `[width, channels, patch, patch]` flattened, so patch embedding is one matrix product.
 */
import { ConfigError } from '../base/errors.js';
import { cutPatches } from './cut-patches.js';
import type { Draw } from './transforms.js';

/** A batch of images and the patch side, pixels. */
export interface PatchShape {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly patch: number;
}

/** Patches per image. */
export function patchCount({ height, width, patch }: Omit<PatchShape, 'batch' | 'channels'>): number {
  return (height / patch) * (width / patch);
}

/** Values per patch. */
export function patchDim({ channels, patch }: Pick<PatchShape, 'channels' | 'patch'>): number {
  return channels * patch * patch;
}

/** @throws {ConfigError} if the images do not divide into whole patches. */
export function checkPatchShape({ height, width, patch }: PatchShape): void {
  if (Number.isInteger(patch) && patch > 0 && height % patch === 0 && width % patch === 0) return;
  const sizes = Array.from({ length: Math.min(height, width) }, (_, i) => i + 1);
  const fitting = sizes.filter((size) => height % size === 0 && width % size === 0).join(', ');
  throw new ConfigError(
    `patch: ${height}x${width} images do not divide into patches of ${patch}; sizes that fit: ${fitting}`,
  );
}

/** Offset of row `y` of channel `c` of sample `b` in patch column 0; each further patch column adds `batch * patch_dim`. */
export function rowOffset(shape: PatchShape, b: number, c: number, y: number): number {
  const { batch, width, patch } = shape;
  const firstPatch = Math.floor(y / patch) * (width / patch);
  return (firstPatch * batch + b) * patchDim(shape) + (c * patch + (y % patch)) * patch;
}

/**
 * Cuts images into patches.
 *
 * @param images `[batch, channels, height, width]`
 * @returns `[patches, batch, patch_dim]`
 * @throws {ConfigError} if height or width is not a multiple of the patch side.
 */
export function patchify(images: Float32Array, shape: PatchShape): Float32Array {
  return rearrange(images, shape, (patches, image, from, to) => {
    patches[to] = image[from];
  });
}

/**
 * Puts images together again: the inverse of `patchify`, for models that take whole images.
 *
 * @param patches `[patches, batch, patch_dim]`
 * @returns `[batch, channels, height, width]`
 * @throws {ConfigError} if height or width is not a multiple of the patch side.
 */
export function unpatchify(patches: Float32Array, shape: PatchShape): Float32Array {
  return rearrange(patches, shape, (images, patch, imageAt, patchAt) => {
    images[imageAt] = patch[patchAt];
  });
}

/** Calls `move` with the offset of every pixel in the image layout and in the patch layout. */
function rearrange(
  input: Float32Array,
  shape: PatchShape,
  move: (output: Float32Array, input: Float32Array, imageAt: number, patchAt: number) => void,
): Float32Array {
  checkPatchShape(shape);
  const { batch, channels, height, width, patch } = shape;
  if (input.length !== batch * channels * height * width) {
    throw new RangeError(`patchify: ${input.length} values are not [${batch}, ${channels}, ${height}, ${width}]`);
  }
  const output = new Float32Array(input.length);
  const nextPatch = batch * patchDim(shape);
  let imageAt = 0;
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < height; y++) {
        const row = rowOffset(shape, b, c, y);
        for (let x = 0; x < width; x++) {
          move(output, input, imageAt++, row + Math.floor(x / patch) * nextPatch + (x % patch));
        }
      }
    }
  }
  return output;
}

/**
 * Writes one image with its channels innermost into its slot of a batch in patch layout, mirrored and normalised on the way.
 *
 * @param out `[patches, batch, patch_dim]`
 * @param pixels `[height, width, sourceChannels]`; a single channel is repeated.
 * @param table `[channels, 256]`, from `normaliseTable`.
 */
export function writePicture(
  out: Float32Array,
  shape: PatchShape,
  slot: number,
  pixels: Uint8Array,
  sourceChannels: number,
  flip: boolean,
  table: Float32Array,
): void {
  const { batch, channels, height, width, patch } = shape;
  const nextPatch = batch * patchDim(shape);
  if (channels === 3 && sourceChannels === 3) {
    const first = slot * patchDim(shape);
    cutPatches(pixels, shape, flip, table, (values, index) => out.set(values, first + index * nextPatch));
    return;
  }
  const step = flip ? -sourceChannels : sourceChannels;
  for (let c = 0; c < channels; c++) {
    const values = c * 256;
    for (let y = 0; y < height; y++) {
      let from = (y * width + (flip ? width - 1 : 0)) * sourceChannels + (sourceChannels === 1 ? 0 : c);
      let at = rowOffset(shape, slot, c, y);
      for (let x = 0; x < width; x += patch) {
        for (const end = at + patch; at < end; at++) {
          out[at] = table[values + pixels[from]];
          from += step;
        }
        at += nextPatch - patch;
      }
    }
  }
}

/**
 * Writes one image into its slot of a batch in patch layout, shifted, mirrored and normalised on the way.
 *
 * @param out `[patches, batch, patch_dim]`
 * @param slot position in the batch.
 * @param pixels `[sourceChannels, height, width]`; a single channel is repeated.
 * @param table `[channels, 256]`, from `normaliseTable`. Pixels from beyond the border are black (0).
 */
export function writeImage(
  out: Float32Array,
  shape: PatchShape,
  slot: number,
  pixels: Uint8Array,
  sourceChannels: number,
  draw: Draw,
  table: Float32Array,
): void {
  const { batch, channels, height, width, patch } = shape;
  const nextPatch = batch * patchDim(shape);
  for (let c = 0; c < channels; c++) {
    const plane = sourceChannels === 1 ? 0 : c * height * width;
    const values = c * 256;
    for (let y = 0; y < height; y++) {
      const sourceY = y + draw.top;
      const source = sourceY >= 0 && sourceY < height ? plane + sourceY * width : -1;
      let at = rowOffset(shape, slot, c, y);
      for (let x = 0; x < width; ) {
        for (const end = x + patch; x < end; x++) {
          const sourceX = (draw.flip ? width - 1 - x : x) + draw.left;
          const seen = source >= 0 && sourceX >= 0 && sourceX < width;
          out[at++] = table[values + (seen ? pixels[source + sourceX] : 0)];
        }
        at += nextPatch - patch;
      }
    }
  }
}
