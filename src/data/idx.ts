/**
 * Reader of IDX files, the format of MNIST and its relatives: two zero bytes, a type, a rank, one big-endian 32-bit
 * length per axis, then the values row by row (yann.lecun.com/exdb/mnist). Plain or gzip, told by content.
 */
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DataError } from '../base/errors.js';
import { elementCount } from '../base/shape.js';
import { allocatePixels, memorySource, type RasterSource } from './source.js';

/** Paths of one split. */
export interface IdxFiles {
  readonly images: string;
  readonly labels: string;
}

/** Bytes a gzip file may unpack to; MNIST has 47 MB. Keeps a hostile file from filling the memory. */
const MAX_UNPACKED_BYTES = 2 * 2 ** 30 - 1;
const TYPE_UINT8 = 0x08;
const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [0x09, 'signed 8-bit'],
  [0x0b, '16-bit'],
  [0x0c, '32-bit'],
  [0x0d, '32-bit float'],
  [0x0e, '64-bit float'],
]);

/** Rank of each kind of file and the axes, for messages. */
const KINDS = {
  images: { rank: 3, axes: 'images [count, height, width]' },
  labels: { rank: 1, axes: 'labels [count]' },
} as const;

/**
 * Opens the images and labels of one split.
 *
 * @param classes labels must lie below it.
 * @throws {DataError} one line, for every way in which the files can be wrong.
 */
export async function openIdx(files: IdxFiles, classes: number): Promise<RasterSource> {
  const [images, labels] = await Promise.all([readIdx(files.images, 'images'), readIdx(files.labels, 'labels')]);
  const [count, height, width] = images.lengths;
  if (labels.lengths[0] !== count) {
    throw new DataError(
      `${files.labels}: ${labels.lengths[0]} labels for the ${count} images of ${files.images}; are the two of one split?`,
    );
  }
  const wrong = labels.values.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw new DataError(
      `${files.labels}: label ${labels.values[wrong]} of image ${wrong} is not below classes (${classes}); correct data.classes or the file`,
    );
  }
  const pixels = allocatePixels(files.images, images.values.length);
  pixels.set(images.values);
  const name = files.images;
  return memorySource({ name, classes, channels: 1, height, width, labels: labels.values.slice(), pixels });
}

async function readIdx(path: string, kind: keyof typeof KINDS): Promise<{ lengths: number[]; values: Uint8Array }> {
  const bytes = await unpack(path, await readBytes(path));
  const { rank, axes } = KINDS[kind];
  const refuse = (message: string) => new DataError(`${path}: ${message}`);
  if (bytes.length < 4) throw refuse(`not an IDX file: ${bytes.length} bytes`);
  if (bytes[0] !== 0 || bytes[1] !== 0) {
    const start = bytes.subarray(0, 4).toString('hex');
    throw refuse(`not an IDX file: it starts with 0x${start}, expected 0x0000080${rank}`);
  }
  if (bytes[2] !== TYPE_UINT8) {
    const type = TYPE_NAMES.get(bytes[2]) ?? `unknown (0x${bytes[2].toString(16)})`;
    throw refuse(`values are of type ${type}; expected unsigned 8-bit`);
  }
  if (bytes[3] !== rank)
    throw refuse(`rank ${bytes[3]}; expected ${axes}, rank ${rank}; are images and labels swapped?`);
  const header = 4 + 4 * rank;
  if (bytes.length < header) throw refuse(`truncated: ${bytes.length} bytes end inside the header of ${header}`);
  const lengths = Array.from({ length: rank }, (_, axis) => bytes.readUInt32BE(4 + 4 * axis));
  const shape = lengths.join(' x ');
  if (lengths.includes(0)) throw refuse(`holds nothing: its shape is ${shape}`);
  const promised = elementCount(lengths);
  const found = bytes.length - header;
  if (found < promised) throw refuse(`truncated: the header promises ${shape} = ${promised} bytes, ${found} follow`);
  if (found > promised) throw refuse(`${found - promised} bytes too long for its shape ${shape}`);
  return { lengths, values: bytes.subarray(header) };
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new DataError(`${path}: no such file (paths are relative to the working directory)`);
    }
    if (code === 'EISDIR') throw new DataError(`${path}: is a directory; name an IDX file`);
    if (code === 'EACCES' || code === 'EPERM') throw new DataError(`${path}: may not be read (permission denied)`);
    throw new DataError(`${path}: cannot be read (${code})`);
  }
}

async function unpack(path: string, bytes: Buffer): Promise<Buffer> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(`${path}: gzip data cannot be unpacked (${reason}); fetch the file again`);
  }
}
