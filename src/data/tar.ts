/** Lists the members of a tar archive by reading its headers only: ustar, GNU long names, pax headers, base-256 sizes. */
import { type FileHandle, open } from 'node:fs/promises';
import { DataError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { printable, quote } from '../base/text.js';

/** A file in an archive. */
export interface TarMember {
  /** Path within the archive, `/` between folders; never absolute, never with `..`. */
  readonly name: string;
  /** First byte of its content in the archive. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** Reads small pieces of an archive one after the other: names, and texts beside images. */
export interface TarReader {
  readonly path: string;
  /** Files in the order of the archive; folders and links are left out. */
  members(): AsyncGenerator<TarMember, void, undefined>;
  /**
   * Content of a member that was just given, best before the next one is asked for.
   *
   * @throws {DataError} when it is longer than `most` bytes.
   */
  content(member: TarMember, most: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

const BLOCK = 512;
/** Bytes that are read at a header: small members behind it, labels for example, then cost no read of their own. */
const AHEAD = 4096;
/** Longest name or pax header, bytes. */
const MOST_HEADER = 2 ** 20;

/** Beginnings of compressed files, and what they are called. */
const COMPRESSED: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];

/** @throws {DataError} one line, when the file cannot be read, is compressed or is no archive. */
export async function openTar(path: string): Promise<TarReader> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const stats = await handle.stat();
    if (stats.isDirectory()) throw new DataError(`${printable(path)}: is a folder; name tar files`);
    const reader = new Reader(path, handle, stats.size);
    await reader.checkStart();
    return reader;
  } catch (error) {
    await handle?.close();
    if (error instanceof DataError) throw error;
    throw new DataError(`${printable(path)}: cannot be read: ${explainIoError(error)}`, 1, { cause: error });
  }
}

class Reader implements TarReader {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #size: number;
  #buffer = Buffer.alloc(AHEAD);
  /** What of the file is in the buffer. */
  #start = 0;
  #end = 0;

  constructor(path: string, handle: FileHandle, size: number) {
    this.path = path;
    this.#handle = handle;
    this.#size = size;
  }

  async checkStart(): Promise<void> {
    if (this.#size === 0) this.#fail('is empty; is the copy complete?');
    const start = await this.#read(0, Math.min(BLOCK, this.#size));
    const compressed = COMPRESSED.find(([, bytes]) => bytes.every((byte, i) => start[i] === byte));
    if (compressed) {
      this.#fail(
        `is compressed (${compressed[0]}), so its members cannot be reached one by one; unpack it to a plain .tar`,
      );
    }
    if (start.length < BLOCK || !(isEmpty(start) || hasChecksum(start))) this.#fail('is not a tar archive');
  }

  async *members(): AsyncGenerator<TarMember, void, undefined> {
    let at = 0;
    let long: Overrides = {};
    let global: Overrides = {};
    while (at + BLOCK <= this.#size) {
      const header = await this.#read(at, BLOCK);
      if (isEmpty(header)) return;
      if (!hasChecksum(header)) this.#fail(`is damaged: the header at byte ${at} has a wrong checksum; copy it again`);
      const type = String.fromCharCode(header[156] || 0x30);
      const own = sizeIn(header);
      if (own === undefined) this.#fail(`is damaged: the header at byte ${at} has no valid size; copy it again`);
      const isFile = type === '0' || type === '7';
      const size = isFile ? (long.size ?? global.size ?? own) : own;
      const offset = at + BLOCK;
      const name = long.name ?? global.name ?? nameIn(header);
      if (offset + size > this.#size) {
        this.#fail(`is truncated: ${quote(name)} ends ${offset + size - this.#size} bytes behind it; copy it again`);
      }
      at = offset + Math.ceil(size / BLOCK) * BLOCK;
      if (type === 'L' || type === 'x' || type === 'g') {
        if (size > MOST_HEADER) this.#fail(`is damaged: the header at byte ${offset - BLOCK} is ${size} bytes long`);
        const text = await this.#read(offset, size);
        if (type === 'L') long = { ...long, name: untilZero(text) };
        else if (type === 'x') long = { ...long, ...this.#pax(text) };
        else global = { ...global, ...this.#pax(text) };
        continue;
      }
      // The target of a long link: what it is for is left out, too, and has its own name.
      if (type === 'K') continue;
      if (type === 'S') this.#fail(`${quote(name)} is a sparse file, which is not supported; pack it again without`);
      long = {};
      if (!isFile || name.endsWith('/')) continue;
      yield { name: this.#checked(name), offset, size };
    }
    if (at < this.#size || at > Math.ceil(this.#size / BLOCK) * BLOCK) this.#fail('is truncated; copy it again');
  }

  async content({ name, offset, size }: TarMember, most: number): Promise<Uint8Array> {
    if (size > most) this.#fail(`${quote(name)} is ${size} bytes long, at most ${most} are read of a text`);
    return Uint8Array.from(await this.#read(offset, size));
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** A view of the buffer, valid until the next call. */
  async #read(at: number, length: number): Promise<Buffer> {
    if (at < this.#start || at + length > this.#end) {
      const wanted = Math.min(Math.max(length, AHEAD), this.#size - at);
      if (this.#buffer.length < wanted) this.#buffer = Buffer.alloc(wanted);
      const { bytesRead } = await this.#handle.read(this.#buffer, 0, wanted, at);
      if (bytesRead < length) this.#fail('became shorter while it was read');
      this.#start = at;
      this.#end = at + bytesRead;
    }
    return this.#buffer.subarray(at - this.#start, at - this.#start + length);
  }

  /** Nothing is ever unpacked, but a path that leads elsewhere tells an archive that was made to do harm. */
  #checked(name: string): string {
    const isOut = name.startsWith('/') || /^[A-Za-z]:[\\/]/.test(name) || name.split(/[\\/]/).includes('..');
    if (isOut) this.#fail(`${quote(name)} leads out of the archive; only archives of relative paths are read`);
    return name.replace(/^(?:\.\/)+/, '');
  }

  /** Records `LENGTH KEY=VALUE\n`, the length being that of the record in bytes. */
  #pax(bytes: Buffer): Overrides {
    let found: Overrides = {};
    for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
      const space = bytes.indexOf(0x20, at);
      const length = space < 0 ? 0 : Number(bytes.toString('latin1', at, space));
      const end = at + length;
      const equals = bytes.indexOf(0x3d, space);
      if (!(Number.isInteger(length) && length > 0 && end <= bytes.length && equals > 0 && equals < end)) {
        this.#fail('is damaged: a pax header is malformed; copy it again');
      }
      const value = bytes.toString('utf8', equals + 1, end - 1);
      const key = bytes.toString('utf8', space + 1, equals);
      if (key === 'path') found = { ...found, name: value };
      if (key === 'size' && /^\d+$/.test(value) && Number.isSafeInteger(Number(value))) {
        found = { ...found, size: Number(value) };
      }
      if (key.startsWith('GNU.sparse.'))
        this.#fail('holds a sparse file, which is not supported; pack it again without');
      at = end;
    }
    return found;
  }

  #fail(reason: string): never {
    throw new DataError(`${printable(this.path)}: ${reason}`);
  }
}

/** What extended headers say of the next member, or of all. */
interface Overrides {
  readonly name?: string;
  readonly size?: number;
}

function isEmpty(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** The sum of all bytes, those of the checksum itself taken for spaces. Old programs took bytes as signed. */
function hasChecksum(header: Buffer): boolean {
  const told = octal(header.subarray(148, 156));
  let [unsigned, signed] = [0, 0];
  for (let i = 0; i < BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : header[i];
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  return told === unsigned || told === signed;
}

/** Octal digits, or with the highest bit set a number of base 256; undefined when it is neither. */
function sizeIn(header: Buffer): number | undefined {
  const field = header.subarray(124, 136);
  if ((field[0] & 0x80) === 0) return octal(field);
  let size = field[0] & 0x7f;
  for (const byte of field.subarray(1)) size = size * 256 + byte;
  return Number.isSafeInteger(size) ? size : undefined;
}

function octal(field: Buffer): number | undefined {
  const text = field.toString('latin1').replace(/\0.*$/s, '').trim();
  return /^[0-7]*$/.test(text) ? Number.parseInt(text || '0', 8) : undefined;
}

function nameIn(header: Buffer): string {
  const name = untilZero(header.subarray(0, 100));
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? untilZero(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}
