/**
 * What stands before the pixels of a JPEG file. Only the common kind is read: baseline, one scan, 8 bits, grey or YCbCr with
 * colours at full, half or a quarter of the resolution. All others are left to the image library.
 */

import { MAX_PIXELS } from '../decode.js';

/** A Huffman code as the file tells it. */
export interface HuffmanCode {
  /** `[16]`: how many codes there are of 1 to 16 bits. */
  readonly counts: Uint8Array;
  /** Their symbols, shorter codes first. */
  readonly symbols: Uint8Array;
}

/** One of the planes: brightness, or a colour. */
export interface Component {
  /** How many columns and rows of blocks a unit has of it. */
  readonly across: number;
  readonly down: number;
  /** `[64]`, in the order of the file. */
  readonly quant: Uint8Array;
  readonly dc: HuffmanCode;
  readonly ac: HuffmanCode;
}

export interface JpegHeader {
  readonly height: number;
  readonly width: number;
  /** One, or brightness and two colours, which have one block in a unit. */
  readonly components: readonly Component[];
  /** Units between two restarts; 0: there are none. */
  readonly interval: number;
  /** Where the coded pixels begin, bytes. */
  readonly scan: number;
}

/** Planes of images that are smaller are enlarged in other ways. */
const LEAST_SIDE = 8;
/** Blocks of brightness in a unit that are known, across and down. */
const SAMPLINGS: ReadonlySet<string> = new Set(['1x1', '2x1', '2x2']);

/** Blocks that a unit may have of a plane along an axis, and numbers of tables: libjpeg refuses others. */
const MOST_SAMPLING = 4;
const MOST_NUMBER = 3;
/** Shorter segments of these kinds are not heeded. */
const JFIF_BYTES = 14;
const ADOBE_BYTES = 12;

/** Segments read so far. */
interface Found {
  readonly quants: Map<number, Uint8Array>;
  readonly codes: Map<number, HuffmanCode>;
  frame?: Uint8Array;
  interval: number;
  isJfif: boolean;
  /** Of Adobe's segment: 0 = no YCbCr. */
  transform?: number;
}

/** The header of a JPEG file of the common kind; undefined for all others, whatever is in them. */
export function readJpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  const found: Found = { quants: new Map(), codes: new Map(), interval: 0, isJfif: false };
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const end = at + 2 + bytes[at + 2] * 256 + bytes[at + 3];
    const segment = bytes.subarray(at + 4, end);
    if (end > bytes.length || end < at + 4) return undefined;
    if (marker === 0xda) return headerOf(found, segment, end);
    if (!take(found, marker, segment)) return undefined;
    at = end;
  }
  return undefined;
}

/** Notes a segment; false if it is one that is not known. */
function take(found: Found, marker: number, segment: Uint8Array): boolean {
  switch (marker) {
    case 0xc0:
    case 0xc1: {
      const isFirst = found.frame === undefined;
      found.frame = segment;
      return isFirst;
    }
    case 0xc4:
      return takeCodes(found, segment);
    case 0xdb:
      return takeQuants(found, segment);
    case 0xdd:
      found.interval = segment[0] * 256 + segment[1];
      return segment.length === 2;
    case 0xe0:
      found.isJfif ||= segment.length >= JFIF_BYTES && startsWith(segment, 'JFIF\0');
      return true;
    case 0xee:
      if (startsWith(segment, 'Adobe') && segment.length >= ADOBE_BYTES) found.transform = segment[11];
      return true;
    default:
      // Comments and what programs add.
      return marker === 0xfe || (marker >= 0xe0 && marker <= 0xef);
  }
}

function takeQuants({ quants }: Found, segment: Uint8Array): boolean {
  for (let at = 0; at < segment.length; at += 65) {
    // The upper half tells the bits: 0 = 8.
    if (segment[at] > MOST_NUMBER || at + 65 > segment.length) return false;
    quants.set(segment[at], segment.subarray(at + 1, at + 65));
  }
  return true;
}

function takeCodes({ codes }: Found, segment: Uint8Array): boolean {
  for (let at = 0; at < segment.length; ) {
    const counts = segment.subarray(at + 1, at + 17);
    const length = counts.reduce((sum, count) => sum + count, 0);
    const end = at + 17 + length;
    // Bit 4 tells AC from DC, the others are the number.
    if (end > segment.length || length > 256 || (segment[at] & ~0x10) > MOST_NUMBER) return false;
    codes.set(segment[at], { counts, symbols: segment.subarray(at + 17, end) });
    at = end;
  }
  return true;
}

function headerOf(found: Found, scan: Uint8Array, start: number): JpegHeader | undefined {
  const { frame, interval } = found;
  if (frame === undefined || frame.length < 6 || frame[0] !== 8) return undefined;
  const [height, width, count] = [frame[1] * 256 + frame[2], frame[3] * 256 + frame[4], frame[5]];
  if (height < LEAST_SIDE || width < LEAST_SIDE || height * width > MAX_PIXELS) return undefined;
  if (count !== 1 && count !== 3) return undefined;
  if (frame.length !== 6 + 3 * count || scan.length !== 4 + 2 * count || scan[0] !== count) return undefined;
  // One scan holds all coefficients, with all their bits.
  const [first, last, bits] = scan.subarray(1 + 2 * count);
  if (first !== 0 || last !== 63 || bits !== 0) return undefined;
  if (count === 3 && !isYcc(found, frame)) return undefined;
  const components: Component[] = [];
  for (let i = 0; i < count; i++) {
    const component = componentOf(found, frame.subarray(6 + 3 * i), scan.subarray(1 + 2 * i));
    if (!component) return undefined;
    components.push(component);
  }
  const [brightness, ...colours] = components;
  // A single plane is stored block by block, whatever it says.
  if (count === 1) return { height, width, components: [{ ...brightness, across: 1, down: 1 }], interval, scan: start };
  if (!SAMPLINGS.has(`${brightness.across}x${brightness.down}`)) return undefined;
  if (colours.some(({ across, down }) => across !== 1 || down !== 1)) return undefined;
  return { height, width, components, interval, scan: start };
}

function componentOf({ quants, codes }: Found, frame: Uint8Array, scan: Uint8Array): Component | undefined {
  const quant = quants.get(frame[2]);
  const dc = codes.get(scan[1] >> 4);
  const ac = codes.get(0x10 | (scan[1] & 15));
  const [across, down] = [frame[1] >> 4, frame[1] & 15];
  if (frame[0] !== scan[0] || !quant || !dc || !ac) return undefined;
  if (Math.min(across, down) < 1 || Math.max(across, down) > MOST_SAMPLING) return undefined;
  return { across, down, quant, dc, ac };
}

/** Whether three components are YCbCr, by the rules of libjpeg. */
function isYcc({ isJfif, transform }: Found, frame: Uint8Array): boolean {
  if (isJfif) return true;
  if (transform !== undefined) return transform !== 0;
  return !(frame[6] === 0x52 && frame[9] === 0x47 && frame[12] === 0x42);
}

function startsWith(segment: Uint8Array, text: string): boolean {
  return segment.length >= text.length && [...text].every((letter, i) => segment[i] === letter.charCodeAt(0));
}
