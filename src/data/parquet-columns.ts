/** Which columns of a Parquet file are images and classes, by what Hugging Face wrote into it, or by type. */
import type { ColumnMetaData, FileMetaData, SchemaTree } from 'hyparquet';
import { quote } from '../base/text.js';
import { CODECS, MOST_GROUP_BYTES } from './parquet-file.js';

/** Columns by name; null: to be found. */
export interface ColumnChoice {
  readonly image: string | null;
  readonly label: string | null;
}

export interface Columns {
  readonly image: string;
  readonly label: string;
  /** Names of the classes, where the file has them. */
  readonly names?: readonly string[];
}

/** Names of columns of integers that are taken for classes where there are several. */
const LABEL_NAMES = ['label', 'labels'];

/**
 * @throws Error saying which column is missing, ambiguous or of another type.
 */
export function findColumns({ children }: SchemaTree, metadata: FileMetaData, choice: ColumnChoice): Columns {
  const features = featuresOf(metadata);
  const image = pick(children, {
    what: 'images',
    key: 'data.parquet.image',
    chosen: choice.image,
    fits: isImage,
    wanted: 'binary, or a group with a binary member "bytes"',
    declared: (name) => features.get(name)?._type === 'Image',
    usual: ['image', 'img'],
  });
  const label = pick(children, {
    what: 'classes',
    key: 'data.parquet.label',
    chosen: choice.label,
    fits: isInteger,
    wanted: 'whole numbers',
    declared: (name) => features.get(name)?._type === 'ClassLabel',
    usual: LABEL_NAMES,
  });
  const names = features.get(label)?.names;
  const isList = Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string');
  return { image, label, ...(isList ? { names } : {}) };
}

interface Wanted {
  readonly what: string;
  /** The setting that chooses it. */
  readonly key: string;
  readonly chosen: string | null;
  readonly fits: (column: SchemaTree) => boolean;
  /** What fits, in words. */
  readonly wanted: string;
  /** Whether the file says that it is one. */
  readonly declared: (name: string) => boolean;
  readonly usual: readonly string[];
}

function pick(columns: readonly SchemaTree[], { what, key, chosen, fits, wanted, declared, usual }: Wanted): string {
  const nameOf = ({ element }: SchemaTree) => element.name;
  const names = (some: readonly SchemaTree[]) => some.map((column) => quote(nameOf(column))).join(', ');
  if (chosen !== null) {
    const found = columns.find((column) => nameOf(column) === chosen);
    if (!found) throw new Error(`has no column ${quote(chosen)}, only ${names(columns)}; correct ${key}`);
    if (fits(found)) return chosen;
    throw new Error(`column ${quote(chosen)} is ${typeText(found)}, expected ${wanted}; correct ${key}`);
  }
  const fitting = columns.filter(fits);
  if (fitting.length === 0) {
    const found = columns.map((column) => `${quote(nameOf(column))} (${typeText(column)})`).join(', ');
    throw new Error(`has no column of ${what}, which would be ${wanted}; its columns are ${found || 'none'}`);
  }
  const told = fitting.filter((column) => declared(nameOf(column)));
  const named = fitting.filter((column) => usual.includes(nameOf(column)));
  for (const some of [told, fitting, named]) if (some.length === 1) return nameOf(some[0]);
  throw new Error(`has several columns that may be ${what} (${names(told.length > 0 ? told : fitting)}); set ${key}`);
}

function typeText({ element, children }: SchemaTree): string {
  if (children.length > 0) return `a group of ${children.map(({ element: { name } }) => quote(name)).join(', ')}`;
  return element.logical_type?.type ?? element.converted_type ?? element.type ?? 'of no type';
}

function isBytes({ element }: SchemaTree): boolean {
  const isText = element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING';
  return element.type === 'BYTE_ARRAY' && element.repetition_type !== 'REPEATED' && !isText;
}

function isImage(column: SchemaTree): boolean {
  if (column.children.length === 0) return isBytes(column);
  if (column.element.repetition_type === 'REPEATED') return false;
  return column.children.some(
    (child) => child.element.name === 'bytes' && child.children.length === 0 && isBytes(child),
  );
}

function isInteger({ element, children }: SchemaTree): boolean {
  if (children.length > 0 || element.repetition_type === 'REPEATED') return false;
  if (element.type !== 'INT32' && element.type !== 'INT64') return false;
  const { logical_type: logical, converted_type: converted } = element;
  return logical ? logical.type === 'INTEGER' : converted === undefined || /^U?INT_\d+$/.test(converted);
}

interface Feature {
  readonly _type?: unknown;
  readonly names?: unknown;
}

/** What the library `datasets` says of the columns, under the key `huggingface`; nothing where that is not readable. */
function featuresOf({ key_value_metadata: pairs }: FileMetaData): ReadonlyMap<string, Feature & { names?: string[] }> {
  const text = pairs?.find(({ key }) => key === 'huggingface')?.value;
  let found: unknown;
  try {
    found = text === undefined ? undefined : JSON.parse(text);
  } catch {
    found = undefined;
  }
  for (const key of ['info', 'features']) {
    found = typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined;
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return new Map();
  return new Map(Object.entries(found).filter(([, feature]) => typeof feature === 'object' && feature !== null));
}

/** What is known of the images in a row group without decoding them. */
export interface GroupFacts {
  readonly rows: number;
  /** Bytes when decoded, and as they lie in the file. */
  readonly decoded: number;
  readonly stored: number;
}

/**
 * @throws Error when a compression is unknown, a row group is too large, or no row holds an image.
 */
export function groupFacts(metadata: FileMetaData, { image, label }: Columns): GroupFacts[] {
  return metadata.row_groups.map(({ columns, num_rows }, group) => {
    const chunksOf = (name: string) => {
      const metas = columns.map(({ meta_data }) => meta_data);
      return metas.filter((meta): meta is ColumnMetaData => meta?.path_in_schema[0] === name);
    };
    const chunks = chunksOf(image);
    const unknown = [...chunks, ...chunksOf(label)].find(({ codec }) => !CODECS.has(codec));
    if (unknown)
      throw new Error(`is compressed with ${unknown.codec}; write it again with one of ${[...CODECS].join(', ')}`);
    const rows = Number(num_rows);
    const bytes = chunks.find(({ path_in_schema }) => path_in_schema.length === 1 || path_in_schema.at(-1) === 'bytes');
    if (rows > 0 && bytes?.statistics?.null_count === num_rows && bytes.num_values === num_rows) {
      throw new Error(
        `row group ${group} holds no images: column ${quote(image)} is empty or has paths only; write the images into the file`,
      );
    }
    const sum = (key: 'total_uncompressed_size' | 'total_compressed_size') =>
      chunks.reduce((total, chunk) => total + Number(chunk[key]), 0);
    const decoded = sum('total_uncompressed_size');
    if (decoded > MOST_GROUP_BYTES) {
      throw new Error(
        `row group ${group} has ${decoded} bytes of images, at most ${MOST_GROUP_BYTES} are read at a time; write it again with smaller row groups`,
      );
    }
    return { rows, decoded, stored: sum('total_compressed_size') };
  });
}
