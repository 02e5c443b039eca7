/** CIFAR-10 and CIFAR-100 in their binary form: records of one or two labels and 32x32 pixels, channel by channel. */
import { access, type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DataError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { printable } from '../base/text.js';
import { readClassNames } from './class-names.js';
import type { RecordSource } from './source.js';

const SHAPE = { channels: 3, height: 32, width: 32 } as const;
const PIXELS = SHAPE.channels * SHAPE.height * SHAPE.width;

/** Which labels of CIFAR-100: 100 classes, or the 20 that they are grouped in. */
export type CifarLabels = 'fine' | 'coarse';

interface Form {
  readonly name: string;
  /** Bytes before the pixels. */
  readonly labels: number;
  /** By the labels that are asked for: which byte, how many classes, and the file with their names. */
  readonly sets: Readonly<Partial<Record<CifarLabels, readonly [byte: number, classes: number, names: string]>>>;
}

const FORMS: readonly Form[] = [
  { name: 'CIFAR-10', labels: 1, sets: { fine: [0, 10, 'batches.meta.txt'] } },
  {
    name: 'CIFAR-100',
    labels: 2,
    sets: { fine: [1, 100, 'fine_label_names.txt'], coarse: [0, 20, 'coarse_label_names.txt'] },
  },
];

/** Text files with names of classes that come with the data sets. */
export const CIFAR_NAME_FILES: readonly string[] = FORMS.flatMap(({ sets }) =>
  Object.values(sets).map(([, , name]) => name),
);

/** Records whose labels are read at a time. */
const AT_A_TIME = 512;

/**
 * Opens the files of a split. Only labels are kept in memory; pixels are read when they are needed. The length of the
 * files tells CIFAR-10 from CIFAR-100. Names of classes are taken from the text file that comes with the data set, if
 * it lies beside the first file.
 *
 * @throws {DataError} one line, for a file that cannot be read, has another length or a label that is not a class.
 */
export async function openCifar(
  files: readonly string[],
  { labels: asked }: { readonly labels: CifarLabels },
): Promise<RecordSource> {
  const opened: { readonly path: string; readonly form: Form; readonly labels: Uint8Array }[] = [];
  for (const path of files) opened.push(await readLabels(path, asked));
  const [first] = opened;
  const other = opened.find(({ form }) => form !== first.form);
  if (other) {
    throw new DataError(
      `${printable(other.path)}: is a file of ${other.form.name}, ${printable(first.path)} one of ${first.form.name}; name files of one of them`,
    );
  }
  const { form } = first;
  const [, classes, names] = setOf(form, asked, first.path);
  const count = opened.reduce((sum, { labels }) => sum + labels.length, 0);
  const labels = new Uint8Array(count);
  const shared = (Type: Uint32ArrayConstructor) => new Type(new SharedArrayBuffer(count * Type.BYTES_PER_ELEMENT));
  const [file, lengths] = [shared(Uint32Array), shared(Uint32Array).fill(PIXELS)];
  const offsets = new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT));
  let at = 0;
  for (const [position, { labels: own }] of opened.entries()) {
    labels.set(own, at);
    for (let i = 0; i < own.length; i++, at++) {
      file[at] = position;
      offsets[at] = i * (form.labels + PIXELS) + form.labels;
    }
  }
  const classNames = await namesBeside(first.path, names, classes);
  return {
    kind: 'records',
    name: files.length === 1 ? first.path : `${first.path} and ${files.length - 1} more`,
    count,
    classes,
    ...(classNames ? { classNames } : {}),
    labels,
    channels: SHAPE.channels,
    records: { kind: 'ranges', files, file, offsets, lengths, raw: SHAPE },
    bytesOf: () => PIXELS,
  };
}

async function readLabels(path: string, asked: CifarLabels) {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const { size } = await handle.stat();
    const fitting = FORMS.filter(({ labels }) => size > 0 && size % (labels + PIXELS) === 0);
    if (fitting.length === 0) throw new DataError(`${printable(path)}: ${lengthReason(size)}`);
    const having = fitting.filter(({ sets }) => sets[asked]);
    const forms = having.length > 0 ? having : fitting;
    for (const form of forms) {
      const [byte, classes] = setOf(form, asked, path);
      const found = await labelBytes(handle, size, form, byte);
      const wrong = found.findIndex((label) => label >= classes);
      if (wrong < 0) return { path, form, labels: found };
      // A length that both forms could have: the labels tell.
      if (form !== forms[forms.length - 1]) continue;
      throw new DataError(
        `${printable(path)}: record ${wrong} has the label ${found[wrong]}, ${form.name} has ${classes} classes; is the copy complete?`,
      );
    }
    throw new Error('internal: no form of CIFAR was tried');
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${printable(path)}: cannot be read: ${explainIoError(error)}`, 1, { cause: error });
  } finally {
    await handle?.close();
  }
}

function lengthReason(size: number): string {
  const lengths = FORMS.map(({ name, labels }) => `${labels + PIXELS} (${name})`).join(' or ');
  return `${size} bytes are not whole records of ${lengths}; name the .bin files of the binary version, unpacked`;
}

function setOf({ name, sets }: Form, asked: CifarLabels, path: string): readonly [number, number, string] {
  const found = sets[asked];
  if (found) return found;
  throw new DataError(`${printable(path)}: ${name} has no ${asked} labels; set data.cifar.labels to fine`);
}

/** Byte `byte` of every record. */
async function labelBytes(handle: FileHandle, size: number, form: Form, byte: number): Promise<Uint8Array> {
  const length = form.labels + PIXELS;
  const labels = new Uint8Array(size / length);
  const buffer = new Uint8Array(AT_A_TIME * length);
  for (let first = 0; first < labels.length; first += AT_A_TIME) {
    const count = Math.min(AT_A_TIME, labels.length - first);
    const { bytesRead } = await handle.read(buffer, 0, count * length, first * length);
    if (bytesRead < count * length) throw new Error('it became shorter while it was read');
    for (let i = 0; i < count; i++) labels[first + i] = buffer[i * length + byte];
  }
  return labels;
}

/** Names in the file of that name in the folder of the data; undefined when there is none. */
async function namesBeside(path: string, name: string, classes: number): Promise<string[] | undefined> {
  const file = join(dirname(path), name);
  try {
    await access(file);
  } catch {
    return undefined;
  }
  const names = await readClassNames(file);
  if (names.length === classes) return names;
  throw new DataError(
    `${printable(file)}: has ${names.length} names for ${classes} classes; repair it or move it away`,
  );
}
