/** Decodes an image file to the pixels of a model: resized to cover, centre-cropped. */
import { DataError } from '../base/errors.js';

export interface ImageShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Largest image that is decoded, in pixels; beyond it a small file can claim all memory. */
const MAX_PIXELS = 100_000_000;
/** Types of values whose black and white are known; floats may reach from 0 to 1, to 255 or anywhere. */
const DEPTHS: ReadonlySet<string> = new Set(['uchar', 'ushort']);

/**
 * Pixels of an image file (JPEG, PNG, WebP, GIF, TIFF, AVIF), turned as its EXIF orientation says, bicubically resized so
 * that it covers the target and cropped to its centre. Transparency becomes black, 16 bits become 8.
 *
 * @returns `[channels, height, width]`, 0..255
 * @throws DataError when the file cannot be decoded, or for other than 1 or 3 channels.
 */
export async function decodeImage(path: string, { channels, height, width }: ImageShape): Promise<Uint8Array> {
  if (channels !== 1 && channels !== 3) {
    throw new DataError(
      `${path}: the model has ${channels} channels, an image file has 1 or 3; give a safetensors file`,
    );
  }
  const { default: sharp } = await import('sharp');
  try {
    const file = sharp(path, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    const { depth } = await file.metadata();
    if (depth !== undefined && !DEPTHS.has(depth)) throw new Error(`values of type ${depth}, expected 8 or 16 bits`);
    const image = file
      .autoOrient()
      .resize(width, height, { fit: 'cover', kernel: 'cubic' })
      .flatten({ background: '#000' });
    const coloured = channels === 1 ? image.greyscale() : image.toColourspace('srgb');
    const { data, info } = await coloured.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return planar(data, info.channels, { channels, height, width });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const limit = reason.includes('exceeds pixel limit') ? ` of ${MAX_PIXELS}` : '';
    throw new DataError(`${path}: cannot be decoded as an image: ${reason}${limit}`);
  }
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
