/** JPEG files to decode, and the verdicts of the loader's own decoder and of the image library. */
import { readFileSync } from 'node:fs';
import sharp, { type JpegOptions } from 'sharp';
import { decodePicture } from '#wave/data/decode.js';
import { decodeJpeg } from '#wave/data/jpeg/decode-jpeg.js';
import { readJpegHeader } from '#wave/data/jpeg/header.js';
import type { Box, Picture } from '#wave/data/picture.js';

/** Whole numbers below a limit, the same in every run. */
export type Draw = (limit: number) => number;

export function drawFrom(seed: number): Draw {
  let state = seed | 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

interface Encoding extends JpegOptions {
  readonly height: number;
  readonly width: number;
  readonly channels?: 1 | 3;
  /** Largest deviation from smooth colours. */
  readonly noise?: number;
  readonly seed?: number;
}

/** A JPEG file of waves, edges and noise. */
export function encode({ height, width, channels = 3, noise = 30, seed = 0, ...options }: Encoding): Promise<Buffer> {
  const draw = drawFrom(seed);
  const data = new Uint8ClampedArray(height * width * channels);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const edge = ((x >> 3) + (y >> 2)) % 5 === 0 ? 90 : 0;
      for (let c = 0; c < channels; c++) {
        const wave = 128 + 90 * Math.sin((x * (1 + c) + y * ((seed % 5) + 1)) / 9);
        data[at++] = wave + edge + draw(2 * noise + 1) - noise;
      }
    }
  }
  return sharp(data, { raw: { height, width, channels } }).jpeg(options).toBuffer();
}

const folder = new URL('../fixtures/jpeg/', import.meta.url);

interface Fixture {
  readonly file: string;
  /** Whether the loader's decoder is to read it itself. */
  readonly own: boolean;
  /** Of Pillow's pixels; null where it refuses the file. */
  readonly sha256: string | null;
}

/** What scripts/fixtures/make-jpeg-fixtures.py has made. */
export const fixtures: readonly Fixture[] = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8'));

export function fixture(name: string): Buffer {
  return readFileSync(new URL(name, folder));
}

/** A piece of a file, by the loader's own decoder; undefined for what it leaves to the image library. */
export function ownPiece(bytes: Uint8Array, wanted?: Box): Picture | undefined {
  const header = readJpegHeader(bytes);
  const box = wanted ?? { top: 0, left: 0, height: header?.height ?? 0, width: header?.width ?? 0 };
  const piece = header && decodeJpeg(bytes, header, box);
  if (!piece) return undefined;
  const { top, left, picture } = piece;
  return cut(picture, { ...box, top: box.top - top, left: box.left - left });
}

/** The image by the image library, or why it has none. */
export async function libraryVerdict(bytes: Uint8Array): Promise<Picture | string> {
  try {
    return await decodePicture(bytes);
  } catch (error) {
    return (error as Error).message;
  }
}

export function cut({ data, width: stride, channels }: Picture, { top, left, height, width }: Box): Picture {
  const out = new Uint8Array(height * width * channels);
  const row = width * channels;
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * stride + left) * channels;
    out.set(data.subarray(from, from + row), y * row);
  }
  return { data: out, height, width, channels };
}

/** Whether two pictures agree in every byte; quicker than a deep comparison. */
export function isSame(found: Picture, expected: Picture): boolean {
  const isOfSize = found.height === expected.height && found.width === expected.width;
  return isOfSize && Buffer.compare(found.data, expected.data) === 0;
}

/** A segment of a file; the last, the start of the scan, with all that comes behind it. */
export interface Segment {
  readonly marker: number;
  readonly body: Buffer;
  /** Bytes that the scan's own segment has of `body`. */
  readonly own: number;
}

export const [SOF, DHT, SOS, DQT, DRI, APP0] = [0xc0, 0xc4, 0xda, 0xdb, 0xdd, 0xe0];

export function segmentsOf(bytes: Buffer): Segment[] {
  const parts: Segment[] = [];
  for (let at = 2; ; ) {
    const [marker, length] = [bytes[at + 1], bytes.readUInt16BE(at + 2)];
    const end = marker === SOS ? bytes.length : at + 2 + length;
    parts.push({ marker, body: Buffer.from(bytes.subarray(at + 4, end)), own: length - 2 });
    if (marker === SOS) return parts;
    at = end;
  }
}

export function joined(parts: readonly Pick<Segment, 'marker' | 'body' | 'own'>[]): Buffer {
  const out: Buffer[] = [Buffer.from([0xff, 0xd8])];
  for (const { marker, body, own } of parts) {
    out.push(Buffer.from([0xff, marker, (own + 2) >> 8, (own + 2) & 255]), body);
  }
  return Buffer.concat(out);
}

/** The file with changed bodies of its segments of a kind. */
export function changed(bytes: Buffer, kind: number, change: (body: Buffer) => void): Buffer {
  const parts = segmentsOf(bytes);
  for (const { marker, body } of parts) if (marker === kind) change(body);
  return joined(parts);
}
