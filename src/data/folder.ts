/** Folders of image files, one folder for each class, as torchvision's `ImageFolder` has them. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DataError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { compareUtf8, printable, quote } from '../base/text.js';
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

/** Names of images that cannot be read; that they are left out is told. */
const UNREAD_EXTENSIONS: ReadonlySet<string> = new Set([
  '.bmp',
  '.ppm',
  '.pgm',
  '.pbm',
  '.pnm',
  '.jfif',
  '.jp2',
  '.jxl',
  '.heic',
  '.heif',
]);

/** Classes that a note names. */
const MOST_NAMED = 5;
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
  const [known, listed] = [new Set(found), new Set(names)];
  const unknown = found.find((name) => !name.startsWith('.') && !listed.has(name));
  if (unknown !== undefined) {
    throw new DataError(
      `${printable(join(folder, unknown))}: is a folder of no class that data.class_names lists; add it there or move it away`,
    );
  }
  const files: string[] = [];
  const labels: number[] = [];
  const empty: string[] = [];
  const unread = new Map<string, number>();
  for (const [label, name] of names.entries()) {
    const own = known.has(name) ? await imagesBelow(folder, name, unread) : [];
    // One by one: as arguments of a call, a hundred thousand names overflow the stack.
    for (const file of own) {
      files.push(file);
      labels.push(label);
    }
    if (own.length === 0) empty.push(name);
  }
  const others = unread.size > 0 ? [unreadNote(unread)] : [];
  if (files.length === 0) {
    const reason = [`its folders hold no images (${[...IMAGE_EXTENSIONS].join(', ')})`, ...others];
    throw new DataError(`${printable(folder)}: ${reason.join('; ')}`);
  }
  const notes = [...(empty.length > 0 ? [emptyNote(empty, names.length)] : []), ...others];
  const bytes = await sizesOf(folder, files);
  return {
    kind: 'records',
    name: folder,
    count: files.length,
    classes: names.length,
    classNames: names,
    areFolders: true,
    labels: Int32Array.from(labels),
    channels,
    records: { kind: 'files', root: folder, names: packText(files) },
    bytesOf: (index) => bytes[index],
    ...(notes.length > 0 ? { notes: notes.map((note) => `${printable(folder)}: ${note}`) } : {}),
  };
}

function emptyNote(empty: readonly string[], classes: number): string {
  const more = empty.length > MOST_NAMED ? ` and ${empty.length - MOST_NAMED} more` : '';
  const named = empty.slice(0, MOST_NAMED).map(quote).join(', ');
  return `${empty.length} of ${classes} classes have no images: ${named}${more}`;
}

function unreadNote(unread: ReadonlyMap<string, number>): string {
  const each = [...unread].sort(([a], [b]) => compareUtf8(a, b)).map(([extension, files]) => `${files} ${extension}`);
  return `images of formats that cannot be read are left out (${each.join(', ')}); convert them to PNG`;
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
    for (const image of await imagesBelow(folder, name, new Map())) images.push(image);
  return images;
}

/**
 * Paths relative to `root`, sorted; `/` between folders on every system.
 *
 * @param unread by extension, the files that are images of other formats: counts are added
 */
async function imagesBelow(root: string, folder: string, unread: Map<string, number>): Promise<string[]> {
  const images: string[] = [];
  await lookInto(root, folder, [], (path, extension, kind) => {
    if (UNREAD_EXTENSIONS.has(extension)) unread.set(extension, (unread.get(extension) ?? 0) + 1);
    if (!IMAGE_EXTENSIONS.has(extension)) return;
    // A pipe, for example: whoever reads it may wait for ever.
    if (kind === 'other') throw new DataError(`${printable(join(root, path))}: is not a file; move it away`);
    images.push(path);
  });
  return images.sort(compareUtf8);
}

/**
 * Hands over each file, at any depth.
 *
 * @param above real paths of the folders that this one lies in, by which a loop of links is known
 */
async function lookInto(
  root: string,
  folder: string,
  above: readonly string[],
  tell: (path: string, extension: string, kind: Entry['kind']) => void,
): Promise<void> {
  const real = await realpath(join(root, folder));
  if (above.includes(real)) {
    throw new DataError(`${printable(join(root, folder))}: is a link to a folder that it lies in; remove the link`);
  }
  for (const { name, kind } of await entries(join(root, folder))) {
    const path = `${folder}/${name}`;
    if (name.startsWith('.')) continue;
    if (kind === 'folder') {
      if (above.length === MOST_NESTED) {
        throw new DataError(`${printable(join(root, path))}: lies too deep for an image folder`);
      }
      await lookInto(root, path, [...above, real], tell);
    } else tell(path, extname(name).toLowerCase(), kind);
  }
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
