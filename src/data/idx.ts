/**
 * Reader of IDX files, the format of MNIST and its relatives: two zero bytes, a type, a rank, one big-endian 32-bit
 * length per axis, then the values row by row (yann.lecun.com/exdb/mnist). Plain or gzip, told by content.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DataError } from '../base/errors.js';
import { errorCodeOf } from '../base/io-error.js';
import { elementCount } from '../base/shape.js';
import type { RawShape } from './records.js';
import { allocatePixels, IN_MEMORY, memorySource, type RasterSource, type RecordSource } from './source.js';

/** Paths of one split. */
export interface IdxFiles {
  readonly images: string;
  readonly labels: string;
}

/** Bytes of a file that is read whole: what Node's buffers hold. */
const MOST_BYTES = 2 * 2 ** 30 - 1;
/** Bytes before the values of the longest header that is read. */
const HEAD = 16;
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
 * Opens the images and labels of one split. Labels are held in memory, and so are images of up to 128 MiB; of larger files
 * every image is read when it is needed.
 *
 * @param classes labels must lie below it.
 * @param inMemory bytes of images that are held in memory
 * @throws {DataError} one line, for every way in which the files can be wrong.
 */
export async function openIdx(
  files: IdxFiles,
  classes: number,
  { inMemory = IN_MEMORY }: { readonly inMemory?: number } = {},
): Promise<RasterSource | RecordSource> {
  const [images, labels] = await Promise.all([
    readIdx(files.images, 'images', inMemory),
    readIdx(files.labels, 'labels', MOST_BYTES),
  ]);
  const [count, height, width] = images.lengths;
  const { values } = labels;
  if (!values) throw new DataError(`${files.labels}: more than ${MOST_BYTES} labels; split the file`);
  if (labels.lengths[0] !== count) {
    throw new DataError(
      `${files.labels}: ${labels.lengths[0]} labels for the ${count} images of ${files.images}; are the two of one split?`,
    );
  }
  const wrong = values.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw new DataError(
      `${files.labels}: label ${values[wrong]} of image ${wrong} is not below classes (${classes}); correct data.classes or the file`,
    );
  }
  const facts = { name: files.images, classes, labels: values.slice() };
  if (!images.values) return recordsOf({ ...facts, count }, { channels: 1, height, width });
  const pixels = allocatePixels(images.values.length);
  pixels.set(images.values);
  return memorySource({ ...facts, channels: 1, height, width, pixels });
}

/** Images of a file that stays where it is. */
function recordsOf(facts: Pick<RecordSource, 'name' | 'count' | 'classes' | 'labels'>, raw: RawShape): RecordSource {
  const { name, count } = facts;
  const bytes = raw.height * raw.width;
  const shared = (width: number) => new SharedArrayBuffer(count * width);
  const offsets = new Float64Array(shared(Float64Array.BYTES_PER_ELEMENT));
  for (let i = 0; i < count; i++) offsets[i] = HEAD + i * bytes;
  return {
    ...facts,
    kind: 'records',
    channels: raw.channels,
    records: {
      kind: 'ranges',
      files: [name],
      file: new Uint32Array(shared(Uint32Array.BYTES_PER_ELEMENT)),
      offsets,
      lengths: new Uint32Array(shared(Uint32Array.BYTES_PER_ELEMENT)).fill(bytes),
      raw,
    },
    bytesOf: () => bytes,
  };
}

/** @returns the lengths of the axes, and the values unless they are more bytes than `most` */
async function readIdx(
  path: string,
  kind: keyof typeof KINDS,
  most: number,
): Promise<{ lengths: number[]; values?: Uint8Array }> {
  const { head, size, all } = await readBytes(path, most);
  const { rank, axes } = KINDS[kind];
  const refuse = (message: string) => new DataError(`${path}: ${message}`);
  if (size < 4) throw refuse(`not an IDX file: ${size} bytes`);
  if (head[0] !== 0 || head[1] !== 0) {
    const start = head.subarray(0, 4).toString('hex');
    throw refuse(`not an IDX file: it starts with 0x${start}, expected 0x0000080${rank}`);
  }
  if (head[2] !== TYPE_UINT8) {
    const type = TYPE_NAMES.get(head[2]) ?? `unknown (0x${head[2].toString(16)})`;
    throw refuse(`values are of type ${type}; expected unsigned 8-bit`);
  }
  if (head[3] !== rank) throw refuse(`rank ${head[3]}; expected ${axes}, rank ${rank}; are images and labels swapped?`);
  const header = 4 + 4 * rank;
  if (size < header) throw refuse(`truncated: ${size} bytes end inside the header of ${header}`);
  const lengths = Array.from({ length: rank }, (_, axis) => head.readUInt32BE(4 + 4 * axis));
  const shape = lengths.join(' x ');
  if (lengths.includes(0)) throw refuse(`holds nothing: its shape is ${shape}`);
  const promised = elementCount(lengths);
  const found = size - header;
  if (found < promised) throw refuse(`truncated: the header promises ${shape} = ${promised} bytes, ${found} follow`);
  if (found > promised) throw refuse(`${found - promised} bytes too long for its shape ${shape}`);
  return all ? { lengths, values: all.subarray(header) } : { lengths };
}

/** The first bytes of an unpacked file, its size, and all of it unless it is plain and has more bytes than `most`. */
async function readBytes(path: string, most: number): Promise<{ head: Buffer; size: number; all?: Buffer }> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const { size } = await handle.stat();
    const head = Buffer.alloc(HEAD);
    await handle.read(head, 0, HEAD, 0);
    if (head[0] === 0x1f && head[1] === 0x8b) {
      const all = await unpack(path, await handle.readFile(), most);
      return { head: all, size: all.length, all };
    }
    return size > most + HEAD ? { head, size } : { head, size, all: await handle.readFile() };
  } catch (error) {
    if (error instanceof DataError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new DataError(`${path}: no such file (paths are relative to the working directory)`);
    }
    if (code === 'EISDIR') throw new DataError(`${path}: is a directory; name an IDX file`);
    if (code === 'EACCES' || code === 'EPERM') throw new DataError(`${path}: may not be read (permission denied)`);
    throw new DataError(`${path}: cannot be read (${code})`);
  } finally {
    await handle?.close();
  }
}

async function unpack(path: string, bytes: Buffer, most: number): Promise<Buffer> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: most + HEAD });
  } catch (error) {
    if (errorCodeOf(error) === 'ERR_BUFFER_TOO_LARGE') {
      throw new DataError(
        `${path}: unpacks to more than ${most} bytes; unpack it (gunzip), then its images are read one by one`,
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(`${path}: gzip data cannot be unpacked (${reason}); fetch the file again`);
  }
}
