/** From the bytes of an image file to 8-bit RGB, as Pillow's `convert('RGB')` gives it. */
import type { SharpConstructor } from 'sharp';
import { damageOf } from './damage.js';
import { fillAround, readGif } from './gif.js';

/** 8-bit pixels `[height, width, channels]`, channels innermost, as image libraries keep them. */
export interface Picture {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** What of a file is followed beside its pixels. */
export type Look = 'stored' | 'upright';

/** Largest image that is decoded, in pixels; beyond it a small file can claim all memory. */
export const MAX_PIXELS = 100_000_000;
/** Types of values whose black and white are known; floats may reach from 0 to 1, to 255 or anywhere. */
const DEPTHS: ReadonlySet<string> = new Set(['uchar', 'ushort']);

/**
 * Decodes the first frame of an image file. As in PyTorch's image folders, colour profiles are not followed; palettes and
 * grey become RGB, and so does CMYK, by Pillow's simple rule. 16 bits become 8 by dropping the lower ones.
 *
 * @param look `stored`: as in those folders, the EXIF orientation is not followed and transparency is dropped; `upright`:
 * the image is turned as its orientation says, and what is transparent becomes black
 * @throws Error saying in one line why the bytes are no image, without naming it.
 */
export async function decodePicture(bytes: Uint8Array, look: Look = 'stored'): Promise<Picture> {
  if (bytes.length === 0) throw new Error('the file is empty');
  const sharp = await decoder();
  try {
    // Whose transparency the library follows even where it is to be dropped.
    const gif = look === 'stored' ? readGif(bytes) : undefined;
    const file = sharp(gif?.bytes ?? bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error', ignoreIcc: true });
    const { depth, space } = isPlain(bytes) ? {} : await file.metadata();
    if (depth !== undefined && !DEPTHS.has(depth)) throw new UnusualValues(depth);
    const isCmyk = space === 'cmyk';
    const isUpright = look === 'upright';
    const turned = isUpright ? file.autoOrient() : file;
    const converted = isCmyk
      ? turned.pipelineColourspace('cmyk').toColourspace('cmyk')
      : (isUpright ? turned.flatten({ background: '#000' }) : turned.removeAlpha()).toColourspace('srgb');
    const { data, info } = await converted.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    const { height, width, channels } = info;
    if (isCmyk) return { data: withoutInk(data, channels), height, width, channels: 3 };
    if (gif) fillAround({ data, height, width, channels }, gif);
    return { data, height, width, channels };
  } catch (error) {
    throw new Error(`cannot be decoded as an image: ${reasonOf(bytes, error)}`, { cause: error });
  }
}

/** One channel of RGB: brightness by ITU-R 601, in the whole numbers of Pillow's `convert('L')`. */
export function greyOf({ data, height, width }: Picture): Picture {
  const grey = new Uint8Array(height * width);
  for (let i = 0, from = 0; i < grey.length; i++, from += 3) {
    grey[i] = (data[from] * 19_595 + data[from + 1] * 38_470 + data[from + 2] * 7471 + 0x8000) >> 16;
  }
  return { data: grey, height, width, channels: 1 };
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

/** Files of 8 or 16 bits in grey, a palette or RGB, told by their first bytes: of others the decoder has to be asked. */
function isPlain(bytes: Uint8Array): boolean {
  const begins = (...start: number[]) => start.every((byte, i) => bytes[i] === byte);
  const [png, gif] = [begins(0x89, 0x50, 0x4e, 0x47), begins(0x47, 0x49, 0x46, 0x38)];
  return png || gif || (begins(0xff, 0xd8) && jpegChannels(bytes) <= 3);
}

/** Channels of a JPEG file, from its frame header; 4 if that is not found. */
function jpegChannels(bytes: Uint8Array): number {
  let at = 2;
  while (at + 9 < bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    // SOF0 to SOF15, without the Huffman tables (C4), what is reserved (C8) and arithmetic conditioning (CC).
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return bytes[at + 9];
    at += marker === 0xff ? 1 : 2 + bytes[at + 2] * 256 + bytes[at + 3];
  }
  return 4;
}

/** RGB of `[pixels, 4]` cyan, magenta, yellow and black, 0 = no ink. */
function withoutInk(ink: Uint8Array, channels: number): Uint8Array {
  const count = ink.length / channels;
  const rgb = new Uint8Array(count * 3);
  for (let i = 0, from = 0; i < count; i++, from += channels) {
    const paper = 255 - ink[from + 3];
    for (let c = 0; c < 3; c++) {
      // ink * paper / 255, rounded, as Pillow computes it in whole numbers.
      const product = ink[from + c] * paper + 128;
      rgb[i * 3 + c] = Math.max(0, paper - ((product + (product >> 8)) >> 8));
    }
  }
  return rgb;
}

/** Pixels whose black and white are not known. */
class UnusualValues extends Error {
  constructor(depth: string) {
    super(`values of type ${depth}, expected 8 or 16 bits`);
  }
}

/** What the decoder itself says of a file, in words that do not vary. */
const OWN_WORDS = [/unsupported image format/, /exceeds pixel limit/];

/**
 * Why a file cannot be decoded, the same each time. The libraries behind the decoder tell their reasons through one buffer
 * for the whole process: of files that fail at a time, each may get that of another, or none. So theirs are not used.
 */
function reasonOf(bytes: Uint8Array, error: unknown): string {
  if (error instanceof UnusualValues) return error.message;
  const [said = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  if (!OWN_WORDS.some((words) => words.test(said))) return damageOf(bytes);
  return said.includes('exceeds pixel limit') ? `${said} of ${MAX_PIXELS}` : said;
}
