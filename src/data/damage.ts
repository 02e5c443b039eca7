/** What is wrong with the file of an image that its decoder gave up: whether its end is missing, told by its own marks. */

/** A kind of file: its first bytes, and whether such a file has its end. */
interface Kind {
  readonly name: string;
  readonly begins: (bytes: Uint8Array) => boolean;
  readonly isWhole: (bytes: Uint8Array) => boolean;
}

const KINDS: readonly Kind[] = [
  { name: 'JPEG', begins: (bytes) => has(bytes, 0, [0xff, 0xd8]), isWhole: isWholeJpeg },
  { name: 'PNG', begins: (bytes) => has(bytes, 0, [0x89, 0x50, 0x4e, 0x47]), isWhole: isWholePng },
  {
    name: 'GIF',
    begins: (bytes) => has(bytes, 0, [0x47, 0x49, 0x46, 0x38]),
    isWhole: isWholeGif,
  },
  {
    name: 'WebP',
    begins: (bytes) => has(bytes, 0, [0x52, 0x49, 0x46, 0x46]) && has(bytes, 8, [0x57, 0x45, 0x42, 0x50]),
    isWhole: (bytes) => bytes.length >= 8 + viewOf(bytes).getUint32(4, true),
  },
];

/** In words, for the bytes of a file that cannot be decoded; of nothing but these bytes. */
export function damageOf(bytes: Uint8Array): string {
  const kind = KINDS.find(({ begins }) => begins(bytes));
  const what = kind ? `the ${kind.name} file` : 'the file';
  return kind?.isWhole(bytes) === false
    ? `${what} ends early`
    : `${what} is damaged, or of a kind that cannot be decoded`;
}

/** Segments up to the coded pixels, and behind these the mark of the end; a small image within a segment has its own. */
function isWholeJpeg(bytes: Uint8Array): boolean {
  for (let at = 2; at + 4 <= bytes.length; ) {
    // Not where a segment should begin: that is damage, not a missing end.
    if (bytes[at] !== 0xff) return true;
    const marker = bytes[at + 1];
    if (marker === 0xda) return hasEndOfJpeg(bytes, at);
    at += marker === 0xff ? 1 : 2 + bytes[at + 2] * 256 + bytes[at + 3];
  }
  return false;
}

function hasEndOfJpeg(bytes: Uint8Array, from: number): boolean {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xd9) return true;
  }
  return false;
}

/** The name of the last chunk is somewhere; what is damaged may hide where. */
function isWholePng(bytes: Uint8Array): boolean {
  const end = [0x49, 0x45, 0x4e, 0x44];
  for (let at = bytes.lastIndexOf(end[0]); at > 0; at = bytes.lastIndexOf(end[0], at - 1)) {
    if (has(bytes, at, end)) return true;
  }
  return false;
}

/** The mark of the end is somewhere behind the header and the palette, whose colours may hold the same number. */
function isWholeGif(bytes: Uint8Array): boolean {
  const flags = bytes[10] ?? 0;
  const palette = flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
  return bytes.lastIndexOf(0x3b) >= 13 + palette;
}

function has(bytes: Uint8Array, at: number, expected: readonly number[]): boolean {
  return expected.every((byte, i) => bytes[at + i] === byte);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
