/**
 * Mixed training images: mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019), a whole batch at a time as timm's
 * `Mixup` in mode `batch`. The partner of an image is the one in the mirrored slot, so of an odd batch the one in the
 * middle stays as it is.
 */
import { drawBeta } from '../base/beta.js';
import { createRng } from '../base/rng.js';
import { type PatchShape, patchCount, patchDim, rowOffset } from './patches.js';
import type { Box } from './picture.js';

/** How batches are mixed. */
export interface MixSettings {
  /** Mixup: both parameters of the Beta distribution that lambda is from; 0 = no mixup. */
  readonly mixup: number;
  /** Cutmix: the same; 0 = no cutmix. */
  readonly cutmix: number;
  /** Share of the batches that are mixed. */
  readonly prob: number;
  /** Share of cutmix among them, where both are on. */
  readonly switchProb: number;
}

/** What is done to a batch. `lambda`, below 1, is the share that an image keeps of itself, and its label with it. */
export type Mix =
  | { readonly kind: 'mixup'; readonly lambda: number }
  /** Pixels in `box` are the partner's; `lambda` is the share of the area outside. */
  | { readonly kind: 'cutmix'; readonly lambda: number; readonly box: Box };

/**
 * What is done to batch `index` of `epoch`: a pure function of the two and the seed.
 *
 * @param size height and width of the images, pixels
 * @returns undefined when the batch stays as it is
 */
export function drawMix(
  settings: MixSettings,
  size: { readonly height: number; readonly width: number },
  { seed, epoch, index }: { readonly seed: number; readonly epoch: number; readonly index: number },
): Mix | undefined {
  const { mixup, cutmix, prob, switchProb } = settings;
  const rng = createRng(seed, 'mix', epoch, index);
  if (!(rng.uniform() < prob) || (mixup === 0 && cutmix === 0)) return undefined;
  const cuts = cutmix > 0 && (mixup === 0 || rng.uniform() < switchProb);
  const alpha = cuts ? cutmix : mixup;
  const lambda = drawBeta(rng, alpha, alpha);
  const mix: Mix = cuts
    ? cutAround({ y: rng.int(size.height), x: rng.int(size.width) }, lambda, size)
    : { kind: 'mixup', lambda };
  return mix.lambda < 1 ? mix : undefined;
}

/**
 * Cutmix around a centre: a box of the image's proportions and, before it is cut off at the borders, of about the share
 * `1 - lambda` of its area. Labels follow what is left of it.
 */
export function cutAround(
  centre: { readonly y: number; readonly x: number },
  lambda: number,
  { height, width }: { readonly height: number; readonly width: number },
): Extract<Mix, { kind: 'cutmix' }> {
  const ratio = Math.sqrt(1 - lambda);
  const [top, bottom] = stretch(centre.y, Math.floor(height * ratio), height);
  const [left, right] = stretch(centre.x, Math.floor(width * ratio), width);
  const box = { top, left, height: bottom - top, width: right - left };
  return { kind: 'cutmix', lambda: 1 - (box.height * box.width) / (height * width), box };
}

/** First and last (not included) pixel of a length around a centre. */
function stretch(centre: number, length: number, side: number): [number, number] {
  return [Math.max(0, centre - Math.floor(length / 2)), Math.min(side, centre + Math.ceil(length / 2))];
}

/**
 * Mixes a full batch in place.
 *
 * @param patches `[patches, batch, patch_dim]`
 */
export function mixPatches(patches: Float32Array, shape: PatchShape, mix: Mix): void {
  if (mix.kind === 'mixup') blend(patches, shape, mix.lambda);
  else exchange(patches, shape, mix.box);
}

/** Each pair becomes two mixtures of its images. */
function blend(patches: Float32Array, shape: PatchShape, lambda: number): void {
  const dim = patchDim(shape);
  const count = patchCount(shape);
  const rest = 1 - lambda;
  for (let patch = 0; patch < count; patch++) {
    const first = patch * shape.batch * dim;
    const last = first + (shape.batch - 1) * dim;
    for (let slot = 0; slot < shape.batch >> 1; slot++) {
      const end = first + (slot + 1) * dim;
      let other = last - slot * dim;
      for (let own = end - dim; own < end; own++, other++) {
        const a = patches[own];
        const b = patches[other];
        patches[own] = lambda * a + rest * b;
        patches[other] = lambda * b + rest * a;
      }
    }
  }
}

/** Each pair exchanges the pixels in the box. */
function exchange(patches: Float32Array, shape: PatchShape, { top, left, height, width }: Box): void {
  const { batch, channels, patch } = shape;
  const nextPatch = batch * patchDim(shape);
  for (let slot = 0; slot < batch >> 1; slot++) {
    for (let c = 0; c < channels; c++) {
      for (let y = top; y < top + height; y++) {
        const own = rowOffset(shape, slot, c, y);
        const other = rowOffset(shape, batch - 1 - slot, c, y) - own;
        for (let x = left; x < left + width; x++) {
          const at = own + Math.floor(x / patch) * nextPatch + (x % patch);
          const held = patches[at];
          patches[at] = patches[at + other];
          patches[at + other] = held;
        }
      }
    }
  }
}
