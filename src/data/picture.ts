/** From the bytes of an image, a file or raw pixels, to pixels of the size that a model takes. */
import { type Filter8, pieceNeeded, type Resizing, resize8 } from '../base/resize8.js';
import { decodePicture, greyOf, type Picture } from './decode.js';
import { decodeJpeg } from './jpeg/decode-jpeg.js';
import { readJpegHeader } from './jpeg/header.js';
import type { RawShape } from './records.js';

export type { Picture } from './decode.js';

/** A piece of an image, pixels. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** What is done to an image whose size is known: a piece is cut out, resized, and cut again. */
export interface Framing {
  /** Absent: all of it. */
  readonly box?: Box;
  /** Height and width after resizing. */
  readonly size: readonly [number, number];
  /** Piece of the resized image that is kept; absent: all of it. */
  readonly crop?: Box;
  readonly interpolation: Interpolation;
}

/** Filters that images are resized with, by the names that timm and Pillow give them. */
export const INTERPOLATIONS = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const satisfies readonly Filter8[];
export type Interpolation = (typeof INTERPOLATIONS)[number];

/** Decides what is done to an image once its height and width are known. */
export type Framer = (height: number, width: number) => Framing;

/**
 * Decodes and frames one image: the pixels are those of Pillow and torchvision, bit by bit where both decode a file to
 * the same pixels.
 *
 * @param raw shape of the pixels, for bytes that are not an image file
 * @param channels 1 or 3 for image files; those of `raw` otherwise
 * @throws Error saying in one line why the bytes are no image, without naming it.
 */
export async function readPicture(
  bytes: Uint8Array,
  { raw, channels, frame }: { readonly raw?: RawShape | undefined; readonly channels: number; readonly frame: Framer },
): Promise<Picture> {
  const isGrey = !raw && channels === 1;
  const resize = (image: Picture, resizing: Resizing) => resize8(isGrey ? greyOf(image) : image, resizing);
  const header = raw ? undefined : readJpegHeader(bytes);
  if (!header) {
    const image = raw ? interleaved(bytes, raw) : await decodePicture(bytes);
    return resize(image, resizingOf(frame, image.height, image.width));
  }
  // The frame may be drawn at random, so it is asked for once.
  const resizing = resizingOf(frame, header.height, header.width);
  const piece = decodeJpeg(bytes, header, pieceNeeded(resizing));
  if (!piece) return resize(await decodePicture(bytes), resizing);
  const { box } = resizing;
  return resize(piece.picture, {
    ...resizing,
    box: { ...box, top: box.top - piece.top, left: box.left - piece.left },
  });
}

function resizingOf(frame: Framer, height: number, width: number): Resizing {
  const { box, size, crop, interpolation: filter } = frame(height, width);
  const all = (tall: number, wide: number): Box => ({ top: 0, left: 0, height: tall, width: wide });
  return { box: box ?? all(height, width), size, crop: crop ?? all(...size), filter };
}

/** `[channels, height, width]` as `[height, width, channels]`. */
function interleaved(planes: Uint8Array, { channels, height, width }: RawShape): Picture {
  const area = height * width;
  if (planes.length !== channels * area) {
    throw new Error(`${planes.length} bytes are not ${channels} channels of ${height}x${width} pixels`);
  }
  const data = new Uint8Array(planes.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < area; i++) data[i * channels + channel] = planes[channel * area + i];
  }
  return { data, height, width, channels };
}
