/** Decodes an image file to the pixels of a model: resized, centre-cropped. */
import type { KernelEnum, Sharp } from 'sharp';
import { DataError } from '../base/errors.js';
import type { Filter } from '../base/resample.js';
import type { Interpolation } from '../model/choices.js';
import type { Preprocess } from '../model/spec.js';
import { enlarge } from './enlarge.js';
import { evalFrame, type Size } from './eval-frame.js';

export interface ImageShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Largest image that is decoded, in pixels; beyond it a small file can claim all memory. */
const MAX_PIXELS = 100_000_000;
/** Types of values whose black and white are known; floats may reach from 0 to 1, to 255 or anywhere. */
const DEPTHS: ReadonlySet<string> = new Set(['uchar', 'ushort']);

const KERNELS: Readonly<Record<Interpolation, keyof KernelEnum>> = {
  nearest: 'nearest',
  bilinear: 'linear',
  bicubic: 'cubic',
  lanczos: 'lanczos3',
};

/** The same filters of this suite; none for one that takes the nearest pixel. */
const FILTERS: Readonly<Record<Interpolation, Filter | undefined>> = {
  nearest: undefined,
  bilinear: 'antialiased-bilinear',
  bicubic: 'antialiased-bicubic',
  lanczos: 'antialiased-lanczos',
};

/** How an image is brought to the size of the model. */
export type Resizing = Pick<Preprocess, 'resize' | 'resize_mode' | 'interpolation'>;

/**
 * Pixels of an image file (JPEG, PNG, WebP, GIF, TIFF, AVIF), turned as its EXIF orientation says, resized and cropped to
 * its centre. Transparency becomes black, 16 bits become 8.
 *
 * @param resizing default: bicubically, in proportion, so that it just covers the target
 * @returns `[channels, height, width]`, 0..255
 * @throws DataError when the file cannot be decoded, or for other than 1 or 3 channels.
 */
export async function decodeImage(
  path: string,
  { channels, height, width }: ImageShape,
  resizing: Resizing = {},
): Promise<Uint8Array> {
  if (channels !== 1 && channels !== 3) {
    throw new DataError(
      `${path}: the model has ${channels} channels, an image file has 1 or 3; give a safetensors file`,
    );
  }
  const { default: sharp } = await import('sharp');
  try {
    const file = sharp(path, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    const { depth, autoOrient } = await file.metadata();
    if (depth !== undefined && !DEPTHS.has(depth)) throw new Error(`values of type ${depth}, expected 8 or 16 bits`);
    const found: Size = [autoOrient.height, autoOrient.width];
    const { size, crop, pad } = evalFrame(found, [height, width], resizing);
    const upright = file.autoOrient().flatten({ background: '#000' });
    const coloured = channels === 1 ? upright.greyscale() : upright.toColourspace('srgb');
    const resized = await resizedTo(coloured, found, size, resizing.interpolation ?? 'bicubic');
    const image = resized.extract(crop).extend({ ...pad, background: '#000' });
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return planar(data, info.channels, { channels, height, width });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const limit = reason.includes('exceeds pixel limit') ? ` of ${MAX_PIXELS}` : '';
    throw new DataError(`${path}: cannot be decoded as an image: ${reason}${limit}`);
  }
}

/** libvips shrinks as Pillow does, to a fraction of a pixel value; what it enlarges lies half a pixel beside. */
async function resizedTo(image: Sharp, found: Size, size: Size, interpolation: Interpolation): Promise<Sharp> {
  const filter = FILTERS[interpolation];
  if (filter !== undefined && (size[0] > found[0] || size[1] > found[1])) return enlarge(image, size, filter);
  const kernel = KERNELS[interpolation];
  // Decoding at a fraction of the size is faster, but not what Pillow gives.
  return image.resize(size[1], size[0], { fit: 'fill', kernel, fastShrinkOnLoad: false });
}

/** `[height, width, found]` as `[channels, height, width]`; a greyscale image has all channels from its one. */
function planar(data: Uint8Array, found: number, { channels, height, width }: ImageShape): Uint8Array {
  const pixels = new Uint8Array(channels * height * width);
  const area = height * width;
  for (let channel = 0; channel < channels; channel++) {
    const source = Math.min(channel, found - 1);
    for (let i = 0; i < area; i++) pixels[channel * area + i] = data[i * found + source];
  }
  return pixels;
}
