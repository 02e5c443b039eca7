/** Folders of image files, one folder for each class, as torchvision's `ImageFolder` has them. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DataError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { compareUtf8, printable } from '../base/text.js';
import { packText } from './packed-text.js';
import type { RecordSource } from './source.js';

/** Names that are taken for images. */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.png',
  '.webp',
  '.gif',
  '.tif',
  '.tiff',
  '.avif',
]);

/** Folders below that of a class that are looked into. */
const MOST_NESTED = 8;
/** Files whose size is asked for at a time. */
const AT_A_TIME = 64;

/**
 * Opens a folder: the sorted names of its folders are the classes, unless they are given; images are found at any depth
 * below and sorted by path. Symbolic links are followed. Only names and sizes are read.
 *
 * @param classNames names of the folders in the order of the classes; null: those that are there, sorted
 * @throws {DataError} one line, for a folder that cannot be read, holds no images, or is of another class.
 */
export async function openFolder(
  folder: string,
  { classNames, channels }: { readonly classNames: readonly string[] | null; readonly channels: number },
): Promise<RecordSource> {
  const found = (await entries(folder)).filter(({ kind }) => kind === 'folder').map(({ name }) => name);
  const names = classNames ?? found.filter((name) => !name.startsWith('.')).sort(compareUtf8);
  if (names.length === 0) {
    throw new DataError(`${printable(folder)}: holds no folders; it must hold one folder of images for each class`);
  }
  const unknown = found.find((name) => !name.startsWith('.') && !names.includes(name));
  if (unknown !== undefined) {
    throw new DataError(
      `${printable(join(folder, unknown))}: is a folder of no class that data.class_names lists; add it there or move it away`,
    );
  }
  const files: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of names.entries()) {
    const own = found.includes(name) ? await imagesBelow(folder, name) : [];
    files.push(...own);
    for (let i = 0; i < own.length; i++) labels.push(label);
  }
  if (files.length === 0) {
    throw new DataError(`${printable(folder)}: its folders hold no images (${[...IMAGE_EXTENSIONS].join(', ')})`);
  }
  const bytes = await sizesOf(folder, files);
  return {
    kind: 'records',
    name: folder,
    count: files.length,
    classes: names.length,
    classNames: names,
    labels: Int32Array.from(labels),
    channels,
    records: { kind: 'files', root: folder, names: packText(files) },
    bytesOf: (index) => bytes[index],
  };
}

/**
 * Paths of all images of a folder of classes, relative to it, whatever the classes.
 *
 * @throws {DataError} as {@link openFolder}
 */
export async function listImages(folder: string): Promise<string[]> {
  const found = (await entries(folder)).filter(({ name, kind }) => kind === 'folder' && !name.startsWith('.'));
  const images: string[] = [];
  for (const { name } of found.sort((a, b) => compareUtf8(a.name, b.name)))
    images.push(...(await imagesBelow(folder, name)));
  return images;
}

/**
 * Paths relative to `root`, sorted; `/` between folders on every system.
 *
 * @param above real paths of the folders that this one lies in, by which a loop of links is known
 */
async function imagesBelow(root: string, folder: string, above: readonly string[] = []): Promise<string[]> {
  const real = await realpath(join(root, folder));
  if (above.includes(real)) {
    throw new DataError(`${printable(join(root, folder))}: is a link to a folder that it lies in; remove the link`);
  }
  const images: string[] = [];
  for (const { name, kind } of await entries(join(root, folder))) {
    const path = `${folder}/${name}`;
    if (name.startsWith('.')) continue;
    if (kind === 'folder') {
      if (above.length === MOST_NESTED) {
        throw new DataError(`${printable(join(root, path))}: lies too deep for an image folder`);
      }
      images.push(...(await imagesBelow(root, path, [...above, real])));
    } else if (IMAGE_EXTENSIONS.has(extname(name).toLowerCase())) {
      // A pipe, for example: whoever reads it may wait for ever.
      if (kind === 'other') throw new DataError(`${printable(join(root, path))}: is not a file; move it away`);
      images.push(path);
    }
  }
  return images.sort(compareUtf8);
}

interface Entry {
  readonly name: string;
  /** Of what a link points to; a link to nothing counts as a file, which is told when it is read. */
  readonly kind: 'file' | 'folder' | 'other';
}

async function entries(folder: string): Promise<Entry[]> {
  try {
    const found = await readdir(folder, { withFileTypes: true });
    return await Promise.all(
      found.map(async (entry) => {
        const target = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => undefined) : entry;
        const kind = !target || target.isFile() ? 'file' : target.isDirectory() ? 'folder' : 'other';
        return { name: entry.name, kind } as const;
      }),
    );
  } catch (error) {
    throw new DataError(`${printable(folder)}: cannot be read: ${explainIoError(error)}`, 1, { cause: error });
  }
}

/** Bytes of each file; one that has gone meanwhile, or a dangling link, has none and is told when it is read. */
async function sizesOf(root: string, files: readonly string[]): Promise<Float64Array> {
  const bytes = new Float64Array(files.length);
  for (let start = 0; start < files.length; start += AT_A_TIME) {
    const sizes = files.slice(start, start + AT_A_TIME).map(async (name) => (await stat(join(root, name))).size);
    const settled = await Promise.allSettled(sizes);
    settled.forEach((each, i) => {
      bytes[start + i] = each.status === 'fulfilled' ? each.value : 0;
    });
  }
  return bytes;
}
