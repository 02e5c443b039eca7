/** Which files a list of patterns means: ranges and alternatives in braces, as shells know them, and `*` and `?`. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, DataError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { compareUtf8, printable, quote } from '../base/text.js';

/** Most files of one list. */
const MOST_FILES = 100_000;

/**
 * The files of a split in the order in which they are given; those of one `*` are sorted by name.
 *
 * - `{000..012}` counts, with as many digits as the bounds have; `{a,b}` lists.
 * - `*` and `?` stand for characters of one name, not for `/`.
 *
 * @param where the setting, for messages
 * @throws ConfigError for a range that runs backwards or a file that is named twice; DataError when nothing is found.
 */
export async function listFiles(patterns: string | readonly string[], where: string): Promise<string[]> {
  const files: string[] = [];
  for (const pattern of typeof patterns === 'string' ? [patterns] : patterns) {
    for (const path of inBraces(pattern, where)) {
      if (!/[*?]/.test(path)) files.push(path);
      else for (const file of await matching(path, where)) files.push(file);
      checkNumber(files.length, where);
    }
  }
  const seen = new Set<string>();
  for (const file of files) {
    if (seen.has(file)) throw new ConfigError(`${where}: ${printable(file)} is named twice; name every file once`);
    seen.add(file);
  }
  return files;
}

/** Alternatives in braces, the first ones outermost. */
function inBraces(pattern: string, where: string): string[] {
  const found = /^([^{]*)\{([^{}]*(?:,|\.\.)[^{}]*)\}(.*)$/s.exec(pattern);
  if (!found) return [pattern];
  const [, before, inner, after] = found;
  const range = /^(\d+)\.\.(\d+)$/.exec(inner);
  const options = range ? counted(range[1], range[2], where) : inner.split(',');
  const rests = inBraces(after, where);
  checkNumber(options.length * rests.length, where);
  return options.flatMap((option) => rests.map((rest) => before + option + rest));
}

function counted(from: string, to: string, where: string): string[] {
  const [first, last] = [Number(from), Number(to)];
  if (last < first) throw new ConfigError(`${where}: {${from}..${to}} runs backwards; write {${to}..${from}}`);
  checkNumber(last - first + 1, where);
  const isPadded = [from, to].some((bound) => bound.length > 1 && bound.startsWith('0'));
  const digits = isPadded ? Math.max(from.length, to.length) : 0;
  return Array.from({ length: last - first + 1 }, (_, i) => String(first + i).padStart(digits, '0'));
}

async function matching(pattern: string, where: string): Promise<string[]> {
  const parts = pattern.split('/');
  const last = parts.length - 1;
  let found = [''];
  for (const [depth, part] of parts.entries()) {
    const next: string[] = [];
    for (const folder of found) {
      const under = (name: string) => (depth === 0 ? name : `${folder}/${name}`);
      const names = /[*?]/.test(part) ? await namesLike(folder, depth, part, depth === last) : [part];
      for (const name of names) next.push(under(name));
    }
    found = next;
  }
  if (found.length === 0) throw new DataError(`${where}: no file matches ${quote(pattern)}; check the path`);
  return found.sort(compareUtf8);
}

/** Names in a folder that match; folders only where more of the path is to come. */
async function namesLike(folder: string, depth: number, part: string, isLast: boolean): Promise<string[]> {
  const path = depth === 0 ? '.' : folder === '' ? '/' : folder;
  const like = new RegExp(
    `^${part
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*+/g, '.*')
      .replace(/\?/g, '.')}$`,
    's',
  );
  const isWanted = (name: string) => like.test(name) && (part.startsWith('.') || !name.startsWith('.'));
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => isWanted(entry.name) && entry.isDirectory() !== isLast).map(({ name }) => name);
  } catch (error) {
    throw new DataError(`${printable(join(path))}: cannot be read: ${explainIoError(error)}`, 1, { cause: error });
  }
}

function checkNumber(files: number, where: string): void {
  if (files > MOST_FILES) throw new ConfigError(`${where}: names more than ${MOST_FILES} files; use larger files`);
}
