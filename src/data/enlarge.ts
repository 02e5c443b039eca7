/** Resizes decoded images as Pillow does: across first, then down, in 8 bits after each. */
import type { Sharp } from 'sharp';
import { type Axis, type Filter, resampleAxis } from '../base/resample.js';
import type { Size } from './eval-frame.js';

/** The image at another size. For images that are enlarged, which are small before; libvips is quicker at shrinking. */
export async function enlarge(image: Sharp, [height, width]: Size, filter: Filter): Promise<Sharp> {
  const { default: sharp } = await import('sharp');
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { channels } = info;
  const wide = resampled(data, { outer: info.height, size: info.width, inner: channels }, width, filter);
  const pixels = resampled(
    new Uint8Array(wide.buffer),
    { outer: 1, size: info.height, inner: width * channels },
    height,
    filter,
  );
  return sharp(pixels, { raw: { width, height, channels } });
}

function resampled(pixels: Uint8Array, axis: Axis, to: number, filter: Filter): Uint8ClampedArray {
  if (axis.size === to) return Uint8ClampedArray.from(pixels);
  return Uint8ClampedArray.from(resampleAxis(Float32Array.from(pixels), axis, to, filter));
}
