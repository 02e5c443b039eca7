/** From batches as the loader makes them to the images that a classifier of another program was made for. */
import { resampleAxis } from '../base/resample.js';
import { type PatchShape, unpatchify } from '../data/index.js';
import type { OnnxData, OnnxPlan } from './onnx-config.js';

/**
 * Undoes the data's normalisation, repeats a single channel, resizes to the model's image and normalises as it wants.
 * Resized pixels beyond black or white become those, as where images are kept in 8 bits.
 *
 * @param patches `[patches, batch, patch_dim]` in the data's normalisation
 * @returns `[batch, channels, height, width]` or `[batch, height, width, channels]`, as the plan says
 */
export function preparePixels(patches: Float32Array, shape: PatchShape, data: OnnxData, plan: OnnxPlan): Float32Array {
  const { batch, channels } = shape;
  const images = unpatchify(patches, shape);
  restore(images, shape, data);
  const sized = resize(images, shape, plan);
  return arrange(sized, batch, channels, plan);
}

/** Back to pixels in 0..1, in place. */
function restore(images: Float32Array, { batch, channels, height, width }: PatchShape, { mean, std }: OnnxData): void {
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < channels; c++) {
      const [centre, spread] = [mean, std].map((values) => values[values.length === 1 ? 0 : c]) as [number, number];
      for (const end = at + height * width; at < end; at++) images[at] = (images[at] as number) * spread + centre;
    }
  }
}

/** `[batch, channels, height, width]` in the size of the plan. */
function resize(
  images: Float32Array,
  { batch, channels, height, width }: PatchShape,
  { image: [tall, wide], interpolation }: OnnxPlan,
): Float32Array {
  if (tall === height && wide === width) return images;
  const filter = `antialiased-${interpolation}` as const;
  const planes = batch * channels;
  const across = resampleAxis(images, { outer: planes * height, size: width, inner: 1 }, wide, filter);
  const sized = resampleAxis(across, { outer: planes, size: height, inner: wide }, tall, filter);
  for (let i = 0; i < sized.length; i++) sized[i] = Math.min(Math.max(sized[i] as number, 0), 1);
  return sized;
}

/** Channels repeated, normalised and in the layout of the plan. */
function arrange(
  images: Float32Array,
  batch: number,
  channels: number,
  { channels: wanted, image: [height, width], layout, mean, std, scale }: OnnxPlan,
): Float32Array {
  const pixels = height * width;
  const out = new Float32Array(batch * wanted * pixels);
  const [channelStep, pixelStep] = layout === 'nchw' ? [pixels, 1] : [1, wanted];
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < wanted; c++) {
      const [centre, spread] = [mean[c] as number, std[c] as number];
      const from = (b * channels + (channels === 1 ? 0 : c)) * pixels;
      const to = b * wanted * pixels + c * channelStep;
      for (let i = 0; i < pixels; i++) {
        out[to + i * pixelStep] = ((images[from + i] as number) * scale - centre) / spread;
      }
    }
  }
  return out;
}
