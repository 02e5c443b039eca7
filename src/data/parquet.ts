/** Images in Parquet files, as Hugging Face publishes them: a column of encoded images and one of classes. */
import { DataError } from '../base/errors.js';
import { printable, quote } from '../base/text.js';
import { type ColumnChoice, type Columns, findColumns, type GroupFacts, groupFacts } from './parquet-columns.js';
import { openParquetFile, type ParquetFile } from './parquet-file.js';
import { KEPT_BYTES } from './row-reader.js';
import { type LeftOut, nothingLeft, type RecordSource } from './source.js';

export interface ParquetOptions {
  /** Columns by name; null: found by what the file says of them, or by type. */
  readonly columns: ColumnChoice;
  /** Number of classes, for files that do not name them; null: they must. */
  readonly classes: number | null;
  /** What is done about a row without a class. */
  readonly onBroken: 'fail' | 'skip';
  /** Channels of a prepared image. */
  readonly channels: number;
}

/** Files that are opened at a time. */
const AT_A_TIME = 4;

/** What a file holds besides images. */
interface Listed {
  readonly columns: Columns;
  readonly groups: readonly GroupFacts[];
  /** Of each row; undefined where there is none. */
  readonly labels: readonly (number | undefined)[];
}

/**
 * Opens the files: of each, its metadata and the column of classes are read. Images are read row group by row group when
 * they are needed, so row groups are the blocks of the source.
 *
 * @throws {DataError} one line, for a file that cannot be read, is truncated or encrypted, lacks a column or has one of
 * another type; for a row whose class is not one, unless such rows are skipped; when no row is left.
 */
export async function openParquet(files: readonly string[], options: ParquetOptions): Promise<RecordSource> {
  const listed: Listed[] = [];
  for (let first = 0; first < files.length; first += AT_A_TIME) {
    listed.push(...(await Promise.all(files.slice(first, first + AT_A_TIME).map((file) => listFile(file, options)))));
  }
  const columns = agreed(files, listed);
  const classes = columns.names?.length ?? options.classes;
  if (classes === null) {
    throw new DataError(`${printable(files[0])}: does not name its classes; give data.classes or data.class_names`);
  }
  const name = files.length === 1 ? files[0] : `${files[0]} and ${files.length - 1} more`;
  const kept: Row[] = [];
  const leftOut: LeftOut[] = [];
  let before = 0;
  for (const [position, { groups, labels }] of listed.entries()) {
    const file = files[position];
    let row = 0;
    for (const [i, { rows }] of groups.entries()) {
      for (const end = row + rows; row < end; row++) {
        const label = labels[row];
        const reason = label === undefined ? 'has no class' : wrongClass(label, classes);
        if (label !== undefined && reason === undefined) kept.push({ group: before + i, row, label });
        else leftOut.push({ name: `${file}: row ${row}`, reason: reason ?? '' });
      }
    }
    before += groups.length;
  }
  if (leftOut.length > 0 && options.onBroken === 'fail') {
    const [{ name: where, reason }] = leftOut;
    throw new DataError(`${printable(where)}: ${reason}; repair the file, or set data.on_broken to skip`);
  }
  if (kept.length === 0) throw nothingLeft(name, 'row that has a class', leftOut, 'data.parquet or data.classes');
  const groups = listed.flatMap((one) => one.groups);
  const records = pack(files, columns.image, listed, kept);
  const largest = groups.reduce((most, { decoded }) => Math.max(most, decoded), 1);
  return {
    kind: 'records',
    name,
    count: kept.length,
    classes,
    ...(columns.names ? { classNames: columns.names } : {}),
    labels: Int32Array.from(kept, ({ label }) => label),
    channels: options.channels,
    records,
    blocks: { of: records.group, most: Math.max(1, Math.floor(KEPT_BYTES / largest)) },
    // Lengths of single images stand in front of each: those of their row group do as well to tell files apart.
    bytesOf: (index) => groups[records.group[index]].stored,
    ...(leftOut.length > 0 ? { leftOut } : {}),
  };
}

interface Row {
  /** Among the row groups of all files. */
  readonly group: number;
  /** In its file. */
  readonly row: number;
  readonly label: number;
}

async function listFile(path: string, options: ParquetOptions): Promise<Listed> {
  let file: ParquetFile | undefined;
  try {
    file = await openParquetFile(path);
    const { parquetSchema } = await import('hyparquet');
    const { metadata } = file;
    const columns = findColumns(parquetSchema(metadata), metadata, options.columns);
    const groups = groupFacts(metadata, columns);
    const labels = await labelsOf(file, columns.label);
    return { columns, groups, labels };
  } catch (error) {
    if (error instanceof DataError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(`${printable(path)}: ${printable(reason)}`, 1, { cause: error });
  } finally {
    await file?.close();
  }
}

async function labelsOf(file: ParquetFile, column: string): Promise<(number | undefined)[]> {
  const rows = file.metadata.row_groups.reduce((sum, { num_rows }) => sum + Number(num_rows), 0);
  const labels = new Array<number | undefined>(rows);
  if (rows === 0) return labels;
  await file.column(column, { start: 0, end: rows }, (values, first) => {
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value === 'number' || typeof value === 'bigint') labels[first + i] = Number(value);
    }
  });
  return labels;
}

/** @throws DataError when files differ in what they say of their columns. */
function agreed(files: readonly string[], listed: readonly Listed[]): Columns {
  const [{ columns: first }] = listed;
  for (const [i, { columns }] of listed.entries()) {
    const refuse = (what: string, found: string, other: string) => {
      const [here, there] = [printable(files[i]), printable(files[0])];
      throw new DataError(`${here}: ${what} ${found}, in ${there} ${other}; name files of one data set`);
    };
    if (columns.image !== first.image) refuse('its images are in column', quote(columns.image), quote(first.image));
    if (columns.label !== first.label) refuse('its classes are in column', quote(columns.label), quote(first.label));
    const [own, others] = [columns.names ?? [], first.names ?? []];
    const at = Array.from({ length: Math.max(own.length, others.length) }).findIndex((_, c) => own[c] !== others[c]);
    if (at >= 0) refuse(`class ${at} is`, quote(own[at] ?? 'missing'), quote(others[at] ?? 'missing'));
  }
  return first;
}

function wrongClass(label: number, classes: number): string | undefined {
  if (Number.isInteger(label) && label >= 0 && label < classes) return undefined;
  const hint = label === -1 ? ' (a split published without classes)' : '';
  return `has the class ${label}${hint}, which is not one of ${classes} (0 to ${classes - 1})`;
}

function pack(files: readonly string[], column: string, listed: readonly Listed[], kept: readonly Row[]) {
  const groups = listed.flatMap((one, file) => {
    let first = 0;
    return one.groups.map(({ rows, decoded }) => {
      first += rows;
      return { file, first: first - rows, rows, decoded };
    });
  });
  const whole = (values: readonly number[]) => {
    const shared = new Uint32Array(new SharedArrayBuffer(values.length * Uint32Array.BYTES_PER_ELEMENT));
    shared.set(values);
    return shared;
  };
  const large = (values: readonly number[]) => {
    const shared = new Float64Array(new SharedArrayBuffer(values.length * Float64Array.BYTES_PER_ELEMENT));
    shared.set(values);
    return shared;
  };
  return {
    kind: 'rows',
    files,
    column,
    groupFile: whole(groups.map(({ file }) => file)),
    groupFirst: large(groups.map(({ first }) => first)),
    groupRows: whole(groups.map(({ rows }) => rows)),
    groupBytes: large(groups.map(({ decoded }) => decoded)),
    group: whole(kept.map(({ group }) => group)),
    row: large(kept.map(({ row }) => row)),
  } as const;
}
