/** A Parquet file on disk: its checked metadata, and whole columns of some of its rows. */
import { type FileHandle, open } from 'node:fs/promises';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { Compressors, FileMetaData } from 'hyparquet';
import { explainIoError } from '../base/io-error.js';

/** Most bytes of a column in one row group, decompressed: it is in memory as a whole. */
export const MOST_GROUP_BYTES = 2 ** 30;
/** Longest footer, bytes. */
const MOST_FOOTER = 256 * 2 ** 20;
const MAGIC = 'PAR1';
/** Of files with an encrypted footer. */
const ENCRYPTED = 'PARE';
/** Compressions that are understood. */
export const CODECS: ReadonlySet<string> = new Set([
  'UNCOMPRESSED',
  'SNAPPY',
  'GZIP',
  'BROTLI',
  'ZSTD',
  'LZ4',
  'LZ4_RAW',
]);

/** Rows of a file, first one included, last one not. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** An open Parquet file. */
export interface ParquetFile {
  readonly metadata: FileMetaData;
  /**
   * Calls `take` with the values of a top-level column, piece by piece, each with the number of its first row in the
   * file. Pieces may hold rows around those that are asked for.
   *
   * @throws Error saying in one line what is wrong, without the file's name.
   */
  column(name: string, rows: RowRange, take: (values: ArrayLike<unknown>, first: number) => void): Promise<void>;
  close(): Promise<void>;
}

/** @throws Error saying in one line why it cannot be read, without its name. */
export async function openParquetFile(path: string): Promise<ParquetFile> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const stats = await handle.stat();
    if (stats.isDirectory()) throw new Error('is a folder; name Parquet files');
    const bytes = bytesOf(handle, stats.size);
    await checkFrame(handle, stats.size);
    const { parquetMetadataAsync, parquetRead } = await import('hyparquet');
    const metadata = await parquetMetadataAsync(bytes, { geoparquet: false });
    const compressors = await decompressors();
    const opened = handle;
    return {
      metadata,
      async column(name, { start, end }, take) {
        try {
          await parquetRead({
            file: bytes,
            metadata,
            columns: [name],
            rowStart: start,
            rowEnd: end,
            compressors,
            utf8: false,
            geoparquet: false,
            onChunk: ({ columnData, rowStart }) => take(columnData, rowStart),
          });
        } catch (error) {
          throw new Error(`cannot be read as Parquet: ${reasonOf(error)}`, { cause: error });
        }
      },
      close: () => opened.close(),
    };
  } catch (error) {
    await handle?.close();
    throw new Error(reasonOf(error), { cause: error });
  }
}

function reasonOf(error: unknown): string {
  return explainIoError(error).split('\n')[0];
}

/** The file as the Parquet library reads it. */
function bytesOf(handle: FileHandle, size: number) {
  return {
    byteLength: size,
    async slice(start: number, end = size): Promise<ArrayBuffer> {
      const length = end - start;
      if (!(start >= 0 && length >= 0 && end <= size)) {
        throw new Error(`asks for bytes ${start} to ${end} of ${size}; copy the file again`);
      }
      if (length > MOST_GROUP_BYTES) throw new Error(`a column of ${length} bytes in one row group is too long`);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle.read(bytes, done, length - done, start + done);
        if (bytesRead === 0) throw new Error('the file became shorter while it was read');
        done += bytesRead;
      }
      return bytes.buffer;
    },
  };
}

/** Both ends of the file, so that a copy that was cut off is told as what it is. */
async function checkFrame(handle: FileHandle, size: number): Promise<void> {
  const [start, end] = [Buffer.alloc(4), Buffer.alloc(8)];
  if (size >= 12) {
    await handle.read(start, 0, 4, 0);
    await handle.read(end, 0, 8, size - 8);
  }
  const [first, last] = [start.toString('latin1'), end.toString('latin1', 4)];
  if (first === ENCRYPTED || last === ENCRYPTED) throw new Error('is encrypted, which is not supported');
  if (first !== MAGIC) throw new Error('is not a Parquet file');
  if (last !== MAGIC) throw new Error('is truncated: a Parquet file ends in PAR1; copy it again');
  const footer = end.readUInt32LE(0);
  if (footer > size - 12 || footer > MOST_FOOTER)
    throw new Error(`is damaged: its footer has ${footer} bytes; copy it again`);
}

/** No page may become larger than it says, nor say that it becomes larger than a row group may be. */
async function decompressors(): Promise<Compressors> {
  const { compressors: known, decompressZstd } = await import('hyparquet-compressors');
  const all: Compressors = {
    ...known,
    GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
    BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
    ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
  };
  return Object.fromEntries(
    Object.entries(all).map(([codec, decompress]) => [
      codec,
      (input: Uint8Array, length: number) => {
        if (!(length >= 0 && length <= MOST_GROUP_BYTES)) throw new Error(`a page of ${length} bytes is too long`);
        return decompress(input, length);
      },
    ]),
  );
}
