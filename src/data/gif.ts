/**
 * What a GIF file says of its first frame. The image library makes transparent pixels and those beside a frame that is
 * smaller than the screen black and so loses their colours; Pillow keeps them, and models were trained with those.
 */
import type { Picture } from './decode.js';

/** The first frame, to be decoded as if nothing in it were transparent. */
export interface GifFrame {
  /** The file; a copy where the first frame had transparency. */
  readonly bytes: Uint8Array;
  /** The frame on the screen, pixels. */
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  /** Red, green and blue beside the frame: the transparent colour, or the first one. */
  readonly around: readonly [number, number, number];
}

const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const IMAGE = 0x2c;
/** Of signature and screen, bytes. */
const HEADER = 13;

/** @returns undefined for what is no GIF file or ends before its first frame: the image library says why. */
export function readGif(bytes: Uint8Array): GifFrame | undefined {
  if (![0x47, 0x49, 0x46, 0x38].every((byte, i) => bytes[i] === byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** Place and bytes of a table of colours, by the field that says whether there is one. */
  const tableAt = (at: number, field: number) => ({ at, length: field & 0x80 ? 3 * 2 ** ((field & 7) + 1) : 0 });
  const shared = tableAt(HEADER, bytes[10]);
  /** Of the last graphic control: where its flags are, and the transparent colour. */
  let control: { readonly at: number; readonly colour: number } | undefined;
  let at = shared.at + shared.length;
  while (bytes[at] === EXTENSION) {
    if (bytes[at + 1] === GRAPHIC_CONTROL) {
      control = bytes[at + 3] & 1 ? { at: at + 3, colour: bytes[at + 6] } : undefined;
    }
    at += 2;
    while (bytes[at] > 0) at += bytes[at] + 1;
    at++;
  }
  if (bytes[at] !== IMAGE || at + 10 > bytes.length) return undefined;
  const own = tableAt(at + 10, bytes[at + 9]);
  const table = own.length > 0 ? own : shared;
  const first = table.at + 3 * (control?.colour ?? 0);
  const isInTable = first + 3 <= Math.min(table.at + table.length, bytes.length);
  const copy = control ? bytes.slice() : bytes;
  if (control) copy[control.at] &= ~1;
  return {
    bytes: copy,
    left: view.getUint16(at + 1, true),
    top: view.getUint16(at + 3, true),
    width: view.getUint16(at + 5, true),
    height: view.getUint16(at + 7, true),
    around: isInTable ? [bytes[first], bytes[first + 1], bytes[first + 2]] : [0, 0, 0],
  };
}

/** Gives pixels beside the frame their colour. */
export function fillAround({ data, height, width, channels }: Picture, frame: GifFrame): void {
  const [right, bottom] = [frame.left + frame.width, frame.top + frame.height];
  if (frame.left === 0 && frame.top === 0 && right >= width && bottom >= height) return;
  for (let y = 0; y < height; y++) {
    const isBeside = y < frame.top || y >= bottom;
    for (let x = 0; x < width; x++) {
      if (isBeside || x < frame.left || x >= right) data.set(frame.around, (y * width + x) * channels);
    }
  }
}
