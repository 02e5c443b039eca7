/** A text file with the names of classes, one per line, in the order of their numbers. */
import { readFile } from 'node:fs/promises';
import { ConfigError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { printable, quote } from '../base/text.js';

/**
 * @param path a file in UTF-8, with a byte order mark or without; spaces at the end of lines do not count, nor do empty
 * lines at the end
 * @throws ConfigError when it cannot be read, is no UTF-8, a line is empty or a name occurs twice.
 */
export async function readClassNames(path: string): Promise<string[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new ConfigError(`${printable(path)}: cannot be read: ${explainIoError(error)}`, { cause: error });
  }
  const names = decode(bytes, path)
    .trimEnd()
    .split(/\r?\n/)
    .map((name) => name.trimEnd());
  const seen = new Set<string>();
  names.forEach((name, i) => {
    if (name.trim() === '')
      throw new ConfigError(`${printable(path)}: line ${i + 1} is empty; give every class a name`);
    if (seen.has(name))
      throw new ConfigError(`${printable(path)}: line ${i + 1} has ${quote(name)} again; names differ`);
    seen.add(name);
  });
  return names;
}

/** Editors save UTF-16 with a byte order mark; without one, letters of Latin have zeros between them. */
function decode(bytes: Buffer, path: string): string {
  const mark = bytes.length >= 2 ? bytes.readUInt16BE(0) : 0;
  if (mark === 0xfffe || mark === 0xfeff || bytes.includes(0)) {
    throw new ConfigError(`${printable(path)}: is no text in UTF-8 but looks like UTF-16; save it as UTF-8`);
  }
  try {
    // Takes away the mark of UTF-8.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ConfigError(`${printable(path)}: is no text in UTF-8; save it as UTF-8`, { cause: error });
  }
}

/** Classes that may have names. */
export interface ClassNames {
  readonly classNames?: readonly string[] | undefined;
  /** Whether each name is that of a folder, and so a name even where it is a number. */
  readonly areFolders?: boolean | undefined;
}

/** Classes, and whose. */
export interface NamedClasses extends ClassNames {
  /** For messages. */
  readonly name: string;
}

/**
 * Where two lists of names differ first. Numbers stand for names where there are none (a model or a Parquet file of
 * `0`, `1`, `2`), so they are compared with numbers only, by value; those of folders are names like any other when they
 * are compared with other folders.
 *
 * @returns undefined: nowhere, or one of them is not known or has only numbers.
 */
export function firstDifference(one: ClassNames, other: ClassNames): number | undefined {
  const [a, b] = [one.classNames, other.classNames];
  if (!a || !b) return undefined;
  const areFolders = one.areFolders === true && other.areFolders === true;
  const areNumbers = [a, b].map((names) => names.every((name) => /^\d+$/.test(name.trim())));
  if (!areFolders && areNumbers[0] !== areNumbers[1]) return undefined;
  const isLoose = !areFolders && areNumbers[0];
  const told = (name: string | undefined) => (isLoose ? name?.trim().replace(/^0+(?=\d)/, '') : name);
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (told(a[i]) !== told(b[i])) return i;
  return undefined;
}

/**
 * @throws ConfigError naming the first class that is called otherwise.
 */
export function checkSameNames(one: NamedClasses, other: NamedClasses): void {
  const at = firstDifference(one, other);
  if (at === undefined) return;
  const told = (list: readonly string[] | undefined) => quote(list?.[at] ?? 'missing');
  throw new ConfigError(
    `${printable(one.name)}: class ${at} is ${told(one.classNames)}, in ${printable(other.name)} ` +
      `${told(other.classNames)}; correct the order of the classes, or set data.check_names to false if they only go by other names`,
  );
}
