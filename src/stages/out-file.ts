/** The one file that a stage writes: whether it may be written, before any work is done. */
import { existsSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { ConfigError } from '../base/errors.js';

/** The file to write. */
export interface OutFile {
  readonly path: string;
  /** Replace the file that is already there. */
  readonly force: boolean;
}

/**
 * @param reads files that the stage reads
 * @throws ConfigError when the file is there and `force` is not set, when it is a folder, or one of those that are read.
 */
export async function checkOutFile({ path, force }: OutFile, reads: readonly string[]): Promise<void> {
  if (/[/\\]$/.test(path)) throw new ConfigError(`${path}: names a folder; name a file`);
  if (!existsSync(path)) return;
  if ((await stat(path)).isDirectory()) throw new ConfigError(`${path}: is a folder; name a file`);
  const target = await realpath(path);
  for (const source of reads) {
    if (existsSync(source) && (await realpath(source)) === target) {
      throw new ConfigError(`${path}: is read by this command; name another file`);
    }
  }
  if (!force) throw new ConfigError(`${path}: is already there; --force replaces it`);
}
