/** Reads images out of the rows of Parquet files. A row group is decoded as a whole, so a few of them are kept. */
import { openParquetFile, type ParquetFile } from './parquet-file.js';
import type { RecordReader, RowRecords } from './records.js';

/** Decoded row groups that one thread keeps, bytes; one is always kept. */
export const KEPT_BYTES = 256 * 2 ** 20;

interface Kept {
  readonly values: Promise<readonly unknown[]>;
  readonly bytes: number;
}

export class RowReader implements RecordReader {
  readonly #records: RowRecords;
  readonly #files = new Map<number, Promise<ParquetFile>>();
  /** By row group, the one that was used last at the end. */
  readonly #kept = new Map<number, Kept>();
  #bytes = 0;

  constructor(records: RowRecords) {
    this.#records = records;
  }

  async read(index: number): Promise<Uint8Array> {
    const { group, row, groupFirst } = this.#records;
    const values = await this.#group(group[index]);
    return bytesIn(values[row[index] - groupFirst[group[index]]]);
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) {
      // One that could not be opened was told to whoever asked for it.
      await file.then((opened) => opened.close()).catch(() => undefined);
    }
    this.#files.clear();
    this.#kept.clear();
    this.#bytes = 0;
  }

  #group(group: number): Promise<readonly unknown[]> {
    const known = this.#kept.get(group);
    if (known) {
      this.#kept.delete(group);
      this.#kept.set(group, known);
      return known.values;
    }
    const bytes = this.#records.groupBytes[group];
    for (const [oldest, { bytes: freed }] of this.#kept) {
      if (this.#bytes + bytes <= KEPT_BYTES) break;
      this.#kept.delete(oldest);
      this.#bytes -= freed;
    }
    const values = this.#decode(group);
    this.#kept.set(group, { values, bytes });
    this.#bytes += bytes;
    return values;
  }

  async #decode(group: number): Promise<readonly unknown[]> {
    const { column, groupFile, groupFirst, groupRows } = this.#records;
    const file = await this.#open(groupFile[group]);
    const [start, length] = [groupFirst[group], groupRows[group]];
    const values = new Array<unknown>(length);
    await file.column(column, { start, end: start + length }, (found, first) => {
      for (let i = 0; i < found.length; i++) {
        const at = first + i - start;
        if (at >= 0 && at < length) values[at] = found[i];
      }
    });
    return values;
  }

  #open(file: number): Promise<ParquetFile> {
    const known = this.#files.get(file);
    if (known) return known;
    const opening = openParquetFile(this.#records.files[file]);
    this.#files.set(file, opening);
    return opening;
  }
}

/** The bytes of an image: the value itself, or what it calls `bytes`. A path is never followed. */
function bytesIn(value: unknown): Uint8Array {
  const found: unknown = typeof value === 'object' && value !== null && 'bytes' in value ? value.bytes : value;
  if (found instanceof Uint8Array) return found;
  const path: unknown = typeof value === 'object' && value !== null && 'path' in value ? value.path : undefined;
  if (typeof path === 'string') {
    throw new Error('holds the path of another file in place of an image; write the images into the Parquet file');
  }
  throw new Error('holds no image');
}
