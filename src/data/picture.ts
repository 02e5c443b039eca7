/** From the bytes of an image, a file or raw pixels, to pixels of the size that a model takes. */
import type { KernelEnum, Sharp, SharpConstructor } from 'sharp';
import type { RawShape } from './records.js';

/** 8-bit pixels `[height, width, channels]`, channels innermost, as image libraries keep them. */
export interface Picture {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

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
export const INTERPOLATIONS = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const;
export type Interpolation = (typeof INTERPOLATIONS)[number];

const KERNELS: Readonly<Record<Interpolation, keyof KernelEnum>> = {
  nearest: 'nearest',
  bilinear: 'linear',
  bicubic: 'cubic',
  lanczos: 'lanczos3',
};

/** Largest image that is decoded, in pixels; beyond it a small file can claim all memory. */
export const MAX_PIXELS = 100_000_000;
/** Types of values whose black and white are known; floats may reach from 0 to 1, to 255 or anywhere. */
const DEPTHS: ReadonlySet<string> = new Set(['uchar', 'ushort']);

/** Decides what is done to an image once its height and width are known. */
export type Framer = (height: number, width: number) => Framing;

/**
 * Decodes and frames one image. As in PyTorch's image folders, the EXIF orientation is not followed, transparency is
 * dropped; 16 bits become 8, CMYK and palettes become RGB, grey becomes as many channels as are asked for.
 *
 * @param raw shape of the pixels, for bytes that are not an image file
 * @param channels 1 or 3 for image files; those of `raw` otherwise
 * @throws Error saying in one line why the bytes are no image, without naming it.
 */
export async function readPicture(
  bytes: Uint8Array,
  { raw, channels, frame }: { readonly raw?: RawShape | undefined; readonly channels: number; readonly frame: Framer },
): Promise<Picture> {
  if (bytes.length === 0) throw new Error('the file is empty');
  const sharp = await decoder();
  try {
    const file = raw
      ? sharp(interleaved(bytes, raw), { raw: { ...raw, channels: raw.channels as 1 | 2 | 3 | 4 } })
      : sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    const { height, width, depth } = await file.metadata();
    if (depth !== undefined && !DEPTHS.has(depth)) throw new Error(`values of type ${depth}, expected 8 or 16 bits`);
    const framed = applied(file, frame(height, width));
    const coloured = raw ? framed : inColour(framed, channels);
    const { data, info } = await coloured.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return { data: plain(data), height: info.height, width: info.width, channels: info.channels };
  } catch (error) {
    throw new Error(plainReason(error), { cause: error });
  }
}

/** The image library, set up for many small images: no threads of its own for each, and none remembered. */
function decoder(): Promise<SharpConstructor> {
  loading ??= import('sharp').then(({ default: sharp }) => {
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  });
  return loading;
}

let loading: Promise<SharpConstructor> | undefined;

/** The bytes without the methods of Node's buffers, some of which mean something else than those of arrays. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

function inColour(image: Sharp, channels: number): Sharp {
  const opaque = image.removeAlpha();
  return channels === 1 ? opaque.greyscale() : opaque.toColourspace('srgb');
}

function applied(image: Sharp, { box, size: [height, width], crop, interpolation }: Framing): Sharp {
  const piece = box ? image.extract({ ...box }) : image;
  const resized = piece.resize(width, height, {
    fit: 'fill',
    kernel: KERNELS[interpolation],
    // Decoding at a fraction of the size is faster, but not what Pillow gives.
    fastShrinkOnLoad: false,
  });
  return crop ? resized.extract({ ...crop }) : resized;
}

/** `[channels, height, width]` as `[height, width, channels]`. */
function interleaved(planes: Uint8Array, { channels, height, width }: RawShape): Uint8Array {
  const area = height * width;
  if (planes.length !== channels * area) {
    throw new Error(`${planes.length} bytes are not ${channels} channels of ${height}x${width} pixels`);
  }
  const pixels = new Uint8Array(planes.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < area; i++) pixels[i * channels + channel] = planes[channel * area + i];
  }
  return pixels;
}

/** The first line of what libvips says, which may have several. */
function plainReason(error: unknown): string {
  const [reason = 'unknown reason'] = (error instanceof Error ? error.message : String(error)).split('\n');
  const limit = reason.includes('exceeds pixel limit') ? ` of ${MAX_PIXELS}` : '';
  return `cannot be decoded as an image: ${reason}${limit}`;
}
