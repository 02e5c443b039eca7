/** The folder that an export writes to: whether it may be written, and what has to go first. */
import { existsSync } from 'node:fs';
import { realpath, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ConfigError, WaveError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { makeFolder } from '../base/make-folder.js';
import type { ExportPlan } from '../model/export/format.js';
import { checkUsable } from './run-folder.js';

/** Where to export to. */
export interface ExportFolder {
  readonly dir: string;
  /** Replace an export that is already there. */
  readonly force: boolean;
}

/**
 * Refuses a folder that cannot be used, before any work is done, and changes nothing.
 *
 * @param reads files, or folders of a model, that the stage reads
 * @throws ConfigError when it holds files of a model and `force` is not set, or is the folder of one that is read;
 * WaveError when it cannot be written.
 */
export async function checkExportFolder(
  { dir, force }: ExportFolder,
  plan: ExportPlan,
  reads: readonly string[],
): Promise<void> {
  await checkUsable(dir);
  const found = inTheWay(dir, plan);
  const [first] = found;
  if (first === undefined) return;
  const own = await realpath(dir);
  for (const path of reads) {
    if (!existsSync(path)) continue;
    const real = await realpath(path);
    // What lies beside a checkpoint is read with it.
    if (real === own || dirname(real) === own || (await realpath(dirname(resolve(path)))) === own) {
      throw new ConfigError(`${dir}: is the folder that ${path} is read from; choose another folder`);
    }
  }
  if (!force)
    throw new ConfigError(`${dir}: holds ${first} already; choose another folder, or replace it with --force`);
}

/**
 * Makes the folder, without the files of an earlier export: one that fails must leave none of another model behind.
 *
 * @throws WaveError when it cannot be made.
 */
export async function openExportFolder({ dir }: ExportFolder, plan: ExportPlan): Promise<void> {
  try {
    await makeFolder(dir);
    for (const name of inTheWay(dir, plan)) await rm(join(dir, name));
  } catch (error) {
    throw new WaveError(`${dir}: cannot be used as output folder: ${explainIoError(error)}`, 1, { cause: error });
  }
}

/** Names in the folder that are written anew, or must not stay beside what is. */
export function inTheWay(dir: string, { files, clashes }: ExportPlan): string[] {
  return [...files, ...clashes].filter((name) => existsSync(join(dir, name)));
}
