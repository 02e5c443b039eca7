/** Names, sizes and dates of the files behind a source: what changes with a data set and can be told without reading it. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DataError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { printable } from '../base/text.js';
import type { DataConfig } from '../config/index.js';
import { CIFAR_NAME_FILES } from './cifar.js';
import { listFiles } from './file-list.js';
import { listImages } from './folder.js';

/** Files that are asked for at a time. */
const AT_A_TIME = 64;

/**
 * One line per file of a split, in order: name, bytes and time of the last change. Names in a folder are relative to it.
 *
 * @returns no lines for sources that are not many or large files, and for a split without any.
 * @throws ConfigError, DataError when a file or folder cannot be found.
 */
export async function listSplit(data: DataConfig, split: 'train' | 'test'): Promise<string[]> {
  const { folder, files } = data[split] ?? {};
  if (data.source === 'folder') {
    if (!folder) return [];
    // A link to nothing is a broken image, which is told when it is read.
    return marksOf(await listImages(folder), (name) => join(folder, name), true);
  }
  const isListed = data.source === 'cifar' || data.source === 'webdataset' || data.source === 'parquet';
  if (!isListed || !files) return [];
  const found = await listFiles(files, `data.${split}.files`);
  const marks = await marksOf(found, (name) => name);
  if (data.source !== 'cifar') return marks;
  // Names of classes lie beside the first file, or do not.
  const beside = CIFAR_NAME_FILES.map((name) => join(dirname(found[0]), name));
  return [...marks, ...(await marksOf(beside, (name) => name, true))];
}

async function marksOf(
  names: readonly string[],
  pathOf: (name: string) => string,
  mayBeMissing = false,
): Promise<string[]> {
  const marks: string[] = [];
  for (let first = 0; first < names.length; first += AT_A_TIME) {
    const some = names.slice(first, first + AT_A_TIME);
    marks.push(...(await Promise.all(some.map((name) => markOf(name, pathOf(name), mayBeMissing)))));
  }
  return marks;
}

async function markOf(name: string, path: string, mayBeMissing: boolean): Promise<string> {
  try {
    const { size, mtimeMs } = await stat(path);
    return `${name} ${size} ${mtimeMs}`;
  } catch (error) {
    if (mayBeMissing) return `${name} missing`;
    throw new DataError(`${printable(path)}: cannot be read: ${explainIoError(error)}`, 1, { cause: error });
  }
}
