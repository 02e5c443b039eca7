/** A text file with the names of classes, one per line, in the order of their numbers. */
import { readFile } from 'node:fs/promises';
import { ConfigError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { printable, quote } from '../base/text.js';

/**
 * @param path empty lines at the end do not count
 * @throws ConfigError when it cannot be read, a line is empty or a name occurs twice.
 */
export async function readClassNames(path: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${printable(path)}: cannot be read: ${explainIoError(error)}`, { cause: error });
  }
  const names = text.trimEnd().split(/\r?\n/);
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

/** Classes that have names, and whose. */
export interface NamedClasses {
  readonly names: readonly string[] | undefined;
  /** For messages. */
  readonly of: string;
}

/** Where two lists of names differ first; undefined: nowhere, or one of them is not known or only counts. */
export function firstDifference(
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
): number | undefined {
  if (!a || !b || isNumbers(a) || isNumbers(b)) return undefined;
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) return i;
  return undefined;
}

/** Numbers in place of names say nothing that could differ. */
function isNumbers(names: readonly string[]): boolean {
  return names.every((name) => /^\d+$/.test(name.trim()));
}

/**
 * @throws ConfigError naming the first class that is called otherwise.
 */
export function checkSameNames(
  { name, classNames }: { readonly name: string; readonly classNames?: readonly string[] | undefined },
  { names, of }: NamedClasses,
): void {
  const at = firstDifference(classNames, names);
  if (at === undefined) return;
  const told = (list: readonly string[] | undefined) => quote(list?.[at] ?? 'missing');
  throw new ConfigError(
    `${printable(name)}: class ${at} is ${told(classNames)}, in ${printable(of)} ${told(names)}; correct the order of the ` +
      'classes, or set data.check_names to false if they only go by other names',
  );
}
