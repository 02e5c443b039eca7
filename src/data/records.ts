/** Where the images of a source lie, as plain data that crosses to loader threads, and how they are read there. */
import { type FileHandle, open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { explainIoError } from '../base/io-error.js';
import { type Drawing, drawImage } from './draw.js';
import { FileReader, MOST_BYTES } from './file-reader.js';
import { type PackedText, textAt } from './packed-text.js';
import { RowReader } from './row-reader.js';

/** One file per image. */
export interface FileRecords {
  readonly kind: 'files';
  /** Folder that the names are relative to. */
  readonly root: string;
  readonly names: PackedText;
}

/** Pieces of larger files: members of archives, records of one length. */
export interface RangeRecords {
  readonly kind: 'ranges';
  readonly files: readonly string[];
  /** `[count]`: position in `files`. */
  readonly file: Uint32Array<SharedArrayBuffer>;
  /** `[count]`: first byte. */
  readonly offsets: Float64Array<SharedArrayBuffer>;
  /** `[count]`: bytes. */
  readonly lengths: Uint32Array<SharedArrayBuffer>;
  /** Absent: records have no names but their numbers. */
  readonly names?: PackedText;
  /** Records are pixels `[channels, height, width]` rather than image files. */
  readonly raw?: RawShape;
}

/** Pixels as they lie in a record. */
export interface RawShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Rows of Parquet files, in groups that are decoded as a whole. */
export interface RowRecords {
  readonly kind: 'rows';
  readonly files: readonly string[];
  /** Top-level column of the images: their bytes, or groups of which one member is called `bytes`. */
  readonly column: string;
  /** `[groups]`: position in `files`. */
  readonly groupFile: Uint32Array<SharedArrayBuffer>;
  /** `[groups]`: first row, counted in its file. */
  readonly groupFirst: Float64Array<SharedArrayBuffer>;
  /** `[groups]` */
  readonly groupRows: Uint32Array<SharedArrayBuffer>;
  /** `[groups]`: bytes of the decoded column. */
  readonly groupBytes: Float64Array<SharedArrayBuffer>;
  /** `[count]`: group of each image. */
  readonly group: Uint32Array<SharedArrayBuffer>;
  /** `[count]`: row, counted in its file. */
  readonly row: Float64Array<SharedArrayBuffer>;
}

/** Images that are drawn when they are asked for. */
export interface DrawnRecords {
  readonly kind: 'drawn';
  readonly drawing: Drawing;
  readonly raw: RawShape;
}

export type Records = FileRecords | RangeRecords | RowRecords | DrawnRecords;

/** What a record is called in messages. */
export function recordName(records: Records, index: number): string {
  if (records.kind === 'files') return join(records.root, textAt(records.names, index));
  if (records.kind === 'rows') return `${rowFile(records, index)}: row ${records.row[index]}`;
  if (records.kind === 'drawn') return `synthetic ${records.drawing.split} image ${index}`;
  const file = records.files[records.file[index]];
  return records.names ? `${file}: ${textAt(records.names, index)}` : `${file}: image ${index}`;
}

/** The same wherever the data set lies. */
export function relativeName(records: Records, index: number): string {
  if (records.kind === 'rows') return `${basename(rowFile(records, index))} ${records.row[index]}`;
  if (records.kind === 'drawn') return `${recordName(records, index)} of seed ${records.drawing.seed}`;
  if (records.names) return textAt(records.names, index);
  const file = records.kind === 'ranges' ? records.files[records.file[index]] : '';
  return `${basename(file)} ${index}`;
}

function rowFile({ files, groupFile, group }: RowRecords, index: number): string {
  return files[groupFile[group[index]]];
}

/** Reads records on one thread. */
export interface RecordReader {
  /**
   * The bytes of a record.
   *
   * @throws Error saying why it cannot be read, without its name.
   */
  read(index: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export function openRecords(records: Records): RecordReader {
  if (records.kind === 'rows') return new RowReader(records);
  if (records.kind === 'drawn') return new DrawnReader(records);
  return records.kind === 'files' ? new FileReader((index) => recordName(records, index)) : new RangeReader(records);
}

class DrawnReader implements RecordReader {
  readonly #records: DrawnRecords;

  constructor(records: DrawnRecords) {
    this.#records = records;
  }

  async read(index: number): Promise<Uint8Array> {
    const { drawing, raw } = this.#records;
    const pixels = new Uint8Array(raw.channels * raw.height * raw.width);
    drawImage(pixels, drawing, index);
    return pixels;
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

class RangeReader implements RecordReader {
  readonly #records: RangeRecords;
  readonly #handles = new Map<number, Promise<FileHandle>>();

  constructor(records: RangeRecords) {
    this.#records = records;
  }

  async read(index: number): Promise<Uint8Array> {
    const { file, offsets, lengths } = this.#records;
    const length = lengths[index];
    if (length > MOST_BYTES) throw new Error(`has ${length} bytes, the most is ${MOST_BYTES}`);
    try {
      const handle = await this.#open(file[index]);
      const bytes = new Uint8Array(length);
      const { bytesRead } = await handle.read(bytes, 0, length, offsets[index]);
      if (bytesRead < length) throw new Error(`the file ends after ${bytesRead} of its ${length} bytes`);
      return bytes;
    } catch (error) {
      throw new Error(`cannot be read: ${explainIoError(error)}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    for (const handle of this.#handles.values()) {
      // One that could not be opened was told to whoever asked for it.
      await handle.then((opened) => opened.close()).catch(() => undefined);
    }
    this.#handles.clear();
  }

  /** Each file is opened once, also when several records are asked for at a time. */
  #open(file: number): Promise<FileHandle> {
    const known = this.#handles.get(file);
    if (known) return known;
    const opening = open(this.#records.files[file], 'r');
    this.#handles.set(file, opening);
    return opening;
  }
}
