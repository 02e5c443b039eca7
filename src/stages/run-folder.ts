/** The folder of one run: its files, and whether it may be written. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../base/atomic-write.js';
import { ConfigError, WaveError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { resolvedConfigYaml } from '../config/index.js';

/** How a stage treats what is already in its folder. */
export interface OutFolder {
  readonly dir: string;
  /** Replace the results of an earlier run. */
  readonly force: boolean;
  /** Go on from the saved state of an interrupted run. */
  readonly resume?: boolean;
}

export interface RunFolder {
  readonly dir: string;
  readonly config: string;
  readonly metrics: string;
  readonly model: string;
  readonly state: string;
}

/** Paths inside a run folder. */
export function runFolder(dir: string): RunFolder {
  return {
    dir,
    config: join(dir, 'config.resolved.yaml'),
    metrics: join(dir, 'metrics.jsonl'),
    model: join(dir, 'model.safetensors'),
    state: join(dir, 'state.safetensors'),
  };
}

/**
 * Makes the folder ready and writes the resolved configuration into it. With `force` the artifacts of the earlier run
 * are removed first, so that a run that fails leaves none of another one behind.
 *
 * @throws ConfigError when a run is already there and neither `force` nor `resume` is set.
 */
export async function openRunFolder(out: OutFolder, config: unknown): Promise<RunFolder> {
  const folder = runFolder(out.dir);
  const artifacts = [folder.model, folder.state, folder.metrics];
  const found = artifacts.filter((path) => existsSync(path));
  if (found.length > 0 && !out.force && !out.resume) {
    throw new ConfigError(
      `${out.dir}: holds a run already (${found[0]}); --resume goes on with it, --force replaces it`,
    );
  }
  try {
    await mkdir(out.dir, { recursive: true });
    if (out.force && !out.resume) for (const path of found) await rm(path);
    await readdir(out.dir);
  } catch (error) {
    throw new WaveError(`${out.dir}: cannot be used as output folder: ${explainIoError(error)}`);
  }
  await writeFileAtomically(folder.config, resolvedConfigYaml(config));
  return folder;
}
