/** From the bytes of an image, a file or raw pixels, to pixels of the size that a model takes. */
import type { Interpolation } from '../base/resize-choices.js';
import { pieceNeeded, type Resizing, resize8 } from '../base/resize8.js';
import { decodePicture, greyOf, type Look, type Picture } from './decode.js';
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
  /** A black picture of this height and width, and where in it the piece is put; absent: the piece is the picture. */
  readonly canvas?: Box;
  readonly interpolation: Interpolation;
}

/** Largest image that resizing may lead to, in pixels; beyond it one long line claims all memory. */
const MAX_RESIZED = 100_000_000;

/** Decides what is done to an image once its height and width are known. */
export type Framer = (height: number, width: number) => Framing;

/** What {@link readPicture} has to know. */
interface Reading {
  readonly raw?: RawShape | undefined;
  readonly channels: number;
  readonly look?: Look;
  readonly frame: Framer;
}

/**
 * Decodes and frames one image: the pixels are those of Pillow and torchvision, bit by bit where both decode a file to
 * the same pixels.
 *
 * @param raw shape of the pixels, for bytes that are not an image file
 * @param channels 1 or 3 for image files; those of `raw` otherwise
 * @param look what of an image file is followed; default: `stored`
 * @throws Error saying in one line why the bytes are no image, or that it cannot be resized so, without naming it.
 */
export async function readPicture(bytes: Uint8Array, { raw, channels, look, frame }: Reading): Promise<Picture> {
  const isGrey = !raw && channels === 1;
  const finish = (image: Picture, { resizing, canvas }: Plan): Picture => {
    const resized = resize8(isGrey ? greyOf(image) : image, resizing);
    return canvas ? onBlack(resized, canvas) : resized;
  };
  // Turning an image by its orientation is left to the image library.
  const header = raw || look === 'upright' ? undefined : readJpegHeader(bytes);
  if (!header) {
    const image = raw ? interleaved(bytes, raw) : await decodePicture(bytes, look);
    return finish(image, planFor(frame, image.height, image.width));
  }
  // The frame may be drawn at random, so it is asked for once.
  const plan = planFor(frame, header.height, header.width);
  const piece = decodeJpeg(bytes, header, pieceNeeded(plan.resizing));
  if (!piece) return finish(await decodePicture(bytes, look), plan);
  const { box } = plan.resizing;
  const moved = { ...box, top: box.top - piece.top, left: box.left - piece.left };
  return finish(piece.picture, { ...plan, resizing: { ...plan.resizing, box: moved } });
}

/** What is done to an image of a known size. */
interface Plan {
  readonly resizing: Resizing;
  readonly canvas?: Box | undefined;
}

/** @throws Error when the resized image would be too large. */
function planFor(frame: Framer, height: number, width: number): Plan {
  const { box, size, crop, canvas, interpolation: filter } = frame(height, width);
  const resizing = { box: box ?? all(height, width), size, crop: crop ?? all(...size), filter };
  // Columns come first, so that a high image may be larger on the way than in the end.
  for (const [tall, wide] of [size, [resizing.box.height, resizing.crop.width] as const]) {
    if (tall * wide > MAX_RESIZED) {
      throw new Error(
        `an image of ${height}x${width} would be resized to ${tall}x${wide}, more than ${MAX_RESIZED} pixels`,
      );
    }
  }
  return { resizing, canvas };
}

function all(height: number, width: number): Box {
  return { top: 0, left: 0, height, width };
}

/** The picture at its place in a larger, black one. */
function onBlack({ data, height, width, channels }: Picture, canvas: Box): Picture {
  const out = new Uint8Array(canvas.height * canvas.width * channels);
  const row = width * channels;
  for (let y = 0; y < height; y++) {
    out.set(data.subarray(y * row, (y + 1) * row), ((canvas.top + y) * canvas.width + canvas.left) * channels);
  }
  return { data: out, height: canvas.height, width: canvas.width, channels };
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
