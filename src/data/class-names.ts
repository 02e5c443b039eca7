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
