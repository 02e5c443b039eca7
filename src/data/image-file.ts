/** An image file as a model sees it in evaluation: the loader's decoder, frame and resizer, for a single file. */
import { readFile } from 'node:fs/promises';
import { DataError } from '../base/errors.js';
import { errorCodeOf, explainIoError } from '../base/io-error.js';
import type { Preprocess } from '../model/spec.js';
import { evalFraming } from './framing.js';
import { type Picture, readPicture } from './picture.js';

export interface ImageShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

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
  const { resize = [height, width], resize_mode: mode = 'shortest', interpolation = 'bicubic' } = resizing;
  const settings = { image: [height, width], resize, mode, interpolation } as const;
  try {
    const bytes = await readFile(path);
    const frame = (tall: number, wide: number) => evalFraming(settings, tall, wide);
    return planar(await readPicture(bytes, { channels, look: 'upright', frame }));
  } catch (error) {
    const isIo = errorCodeOf(error) !== undefined;
    const reason = error instanceof Error && !isIo ? error.message : explainIoError(error);
    throw new DataError(`${path}: ${reason}`, 1, { cause: error });
  }
}

/** `[height, width, channels]` as `[channels, height, width]`. */
function planar({ data, height, width, channels }: Picture): Uint8Array {
  const pixels = new Uint8Array(data.length);
  const area = height * width;
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < area; i++) pixels[channel * area + i] = data[i * channels + channel];
  }
  return pixels;
}
