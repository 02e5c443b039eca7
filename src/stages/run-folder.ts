/** The folder of one run: its files, and whether it may be written. */
import { existsSync, realpathSync } from 'node:fs';
import { access, constants, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { writeFileAtomically } from '../base/atomic-write.js';
import { ConfigError, WaveError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { makeFolder } from '../base/make-folder.js';
import { resolvedConfigYaml } from '../config/index.js';

/** How a stage treats what is already in its folder. */
export interface OutFolder {
  readonly dir: string;
  /** Replace the results of an earlier run. */
  readonly force: boolean;
  /** Go on from the saved state of an interrupted run; not together with `force`. */
  readonly resume?: boolean;
}

/** Paths in a run folder. Which of the artifacts are there depends on the stage. */
export interface RunFolder {
  readonly dir: string;
  readonly config: string;
  readonly metrics: string;
  readonly state: string;
  readonly model: string;
  /** The model of the best evaluation, with `train.keep_best`. */
  readonly best: string;
  readonly templates: string;
  readonly scalers: string;
}

/** What a stage does with files. */
export interface RunFiles {
  /** Artifacts that it writes into its folder. */
  readonly makes: readonly ('model' | 'templates' | 'scalers')[];
  /** Paths that it reads: they must not be among the files that it writes. */
  readonly reads?: readonly string[];
}

/** Paths inside a run folder. */
export function runFolder(dir: string): RunFolder {
  return {
    dir,
    config: join(dir, 'config.resolved.yaml'),
    metrics: join(dir, 'metrics.jsonl'),
    state: join(dir, 'state.safetensors'),
    model: join(dir, 'model.safetensors'),
    best: join(dir, 'best.safetensors'),
    templates: join(dir, 'templates.safetensors'),
    scalers: join(dir, 'scalers.safetensors'),
  };
}

/** What one run leaves behind and another must not find; the configuration alone is no run. */
function results(folder: RunFolder, { makes }: RunFiles): string[] {
  return [...makes.map((kind) => folder[kind]), folder.best, folder.state, folder.metrics];
}

/**
 * Refuses a folder that cannot be used, before any work is done, and changes nothing.
 *
 * @throws ConfigError when a run is already there and neither `force` nor `resume` is set, when there is no state to
 * resume from, when both are set, or when the run would replace what it reads; WaveError when the folder cannot be
 * written.
 */
export async function checkRunFolder({ dir, force, resume = false }: OutFolder, files: RunFiles): Promise<RunFolder> {
  const folder = runFolder(dir);
  const own = results(folder, files);
  // A folder stands for the model in it.
  const reads = files.reads?.flatMap((path) => [path, join(path, basename(folder.model))]) ?? [];
  const read = reads.find((path) => own.some((written) => isSameFile(path, written)));
  if (read !== undefined) {
    throw new ConfigError(`${dir}: the run would replace ${basename(read)}, which it reads; choose another folder`);
  }
  const found = own.find((path) => existsSync(path));
  const resumable = existsSync(folder.state);
  if (force && resume) {
    throw new ConfigError(`${dir}: --resume goes on with the run, --force replaces it; give one of them`);
  }
  if (resume && !resumable) {
    const remedy = found === undefined ? 'start without --resume' : 'start anew with --force';
    throw new ConfigError(`${dir}: holds no saved state (${basename(folder.state)}) to resume from; ${remedy}`);
  }
  if (found !== undefined && !force && !resume) {
    const remedy = resumable ? '--resume goes on with it, --force replaces it' : '--force replaces it';
    throw new ConfigError(`${dir}: holds a run already (${basename(found)}); ${remedy}`);
  }
  await checkUsable(dir);
  return folder;
}

/** @throws WaveError when files cannot be written into the folder, or it cannot be made. */
export async function checkUsable(dir: string): Promise<void> {
  try {
    await checkWritable(resolve(dir));
  } catch (error) {
    throw unusable(dir, error);
  }
}

function isSameFile(one: string, other: string): boolean {
  const real = (path: string) => (existsSync(path) ? realpathSync(path) : resolve(path));
  return real(one) === real(other);
}

/** The folder, or the nearest one above it that is there, must take new files. */
async function checkWritable(path: string): Promise<void> {
  if (!existsSync(path) && dirname(path) !== path) return checkWritable(dirname(path));
  if (!(await stat(path)).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
  await access(path, constants.W_OK | constants.X_OK);
}

function unusable(dir: string, error: unknown): WaveError {
  return new WaveError(`${dir}: cannot be used as output folder: ${explainIoError(error)}`, 1, { cause: error });
}

/**
 * Makes the folder ready and writes the resolved configuration into it. With `force` the artifacts of the earlier run
 * are removed first, so that a run that fails leaves none of another one behind; with `force` or `resume` also the
 * temporary files that a killed run could not remove.
 *
 * @throws ConfigError, WaveError as {@link checkRunFolder}.
 */
export async function openRunFolder(out: OutFolder, config: unknown, files: RunFiles): Promise<RunFolder> {
  const folder = await checkRunFolder(out, files);
  const own = results(folder, files);
  try {
    await makeFolder(out.dir);
    if (out.force) for (const path of own.filter((file) => existsSync(file))) await rm(path);
    if (out.force || out.resume) for (const path of await leftovers(out.dir, [folder.config, ...own])) await rm(path);
  } catch (error) {
    throw unusable(out.dir, error);
  }
  await writeFileAtomically(folder.config, resolvedConfigYaml(config));
  return folder;
}

/**
 * Takes back what {@link openRunFolder} and a run without results have written, for the sake of another try; never fails.
 *
 * @param isNew the folder was not there before
 */
export async function discardRun(folder: RunFolder, files: RunFiles, isNew: boolean): Promise<void> {
  const own = [folder.config, ...results(folder, files)];
  try {
    for (const path of [...own, ...(await leftovers(folder.dir, own))]) await rm(path, { force: true });
    if (isNew) await rmdir(folder.dir);
  } catch {
    // The error of the run is the one to be told.
  }
}

/** Temporary files of atomic writes to files of a folder. */
async function leftovers(dir: string, paths: readonly string[]): Promise<string[]> {
  const names = paths.map((path) => basename(path));
  const isLeftover = (file: string) => file.endsWith('.tmp') && names.some((name) => file.startsWith(`.${name}.`));
  return (await readdir(dir)).filter(isLeftover).map((file) => join(dir, file));
}
