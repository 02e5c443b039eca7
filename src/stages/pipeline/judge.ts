/** Whether a task has to be run, and why. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expectKind, openSafetensors } from '../../checkpoint/index.js';
import { configSha256 } from '../../config/index.js';
import { differences } from '../changed-settings.js';
import { runFolder } from '../run-folder.js';
import type { Hashes } from './hashes.js';
import { type Fingerprint, type Marker, readMarker, readRecord, type StageRecord, sameFingerprint } from './record.js';

/** Reads a name of a setting that differs, and both values. */
const NAMED_SETTINGS = 1;

/** What is to be done with a task. */
export type Verdict =
  | { readonly upToDate: true; readonly record: StageRecord }
  | { readonly upToDate: false; readonly reason: string };

/**
 * Up to date is what was made by this version from the same settings, inputs and data, and is still as it was written.
 * All of it is judged by content: dates and names do not count.
 *
 * @param now what the task would be run with; undefined for an input that is still to be made
 */
export async function judge(dir: string, now: Fingerprint, hashes: Hashes): Promise<Verdict> {
  const record = await readRecord(dir);
  if (record === undefined) {
    return { upToDate: false, reason: (await readMarker(dir)) === undefined ? 'new' : 'was not finished' };
  }
  const reason = changed(record.fingerprint, now) ?? (await damaged(dir, record, hashes));
  return reason === undefined ? { upToDate: true, record } : { upToDate: false, reason };
}

function changed(then: Fingerprint, now: Fingerprint): string | undefined {
  if (then.tool !== now.tool) return `was made by version ${then.tool}`;
  if (then.kind !== now.kind) return `was a ${then.kind}`;
  const settings = [...differences(then.config, now.config), ...differences(then.target, now.target, 'target')];
  if (settings.length > 0) {
    const more = settings.length > NAMED_SETTINGS ? ` and ${settings.length - NAMED_SETTINGS} more` : '';
    return `${settings.slice(0, NAMED_SETTINGS).join('; ')}${more}`;
  }
  const roles = [...new Set([...Object.keys(then.inputs), ...Object.keys(now.inputs)])];
  const role = roles.find((one) => then.inputs[one] !== now.inputs[one]);
  if (role !== undefined) return `input ${role} changed`;
  return then.data === now.data ? undefined : 'the data changed';
}

async function damaged(dir: string, { outputs }: StageRecord, hashes: Hashes): Promise<string | undefined> {
  for (const [name, sha256] of Object.entries(outputs)) {
    const found = await hashes.ifThere(join(dir, name));
    if (found === undefined) return `${name} is missing`;
    if (found !== sha256) return `${name} is not as it was written`;
  }
  return undefined;
}

/** The finished outputs of a task, whatever it was made from; undefined when one is missing or was changed. */
export async function intactRecord(dir: string, hashes: Hashes): Promise<StageRecord | undefined> {
  const record = await readRecord(dir);
  return record === undefined || (await damaged(dir, record, hashes)) !== undefined ? undefined : record;
}

/**
 * The marker of a killed or interrupted run of the same task, if that left a state to go on from. A state that was there
 * before that run began belongs to another one.
 */
export async function resumable(dir: string, now: Fingerprint, hashes: Hashes): Promise<Marker | undefined> {
  const marker = await readMarker(dir);
  if (marker === undefined || !sameFingerprint(marker.fingerprint, now)) return undefined;
  const { state } = runFolder(dir);
  const found = await hashes.ifThere(state);
  if (found === undefined || found === marker.stateBefore) return undefined;
  return (await stateFits(state, now.config)) ? marker : undefined;
}

async function stateFits(path: string, config: unknown): Promise<boolean> {
  try {
    const file = await openSafetensors(path);
    try {
      return expectKind(file, 'state').lineage?.configSha256 === configSha256(config);
    } finally {
      await file.close();
    }
  } catch {
    return false; // It cannot be read, so it cannot be gone on from.
  }
}

/** Whether the folder holds results that no pipeline has written: those are not replaced unasked. */
export async function holdsOthers(dir: string, names: readonly string[]): Promise<string | undefined> {
  if (!existsSync(dir) || (await readRecord(dir)) !== undefined || (await readMarker(dir)) !== undefined) return undefined;
  const { model, state, metrics } = runFolder('');
  const known = new Set([model, state, metrics, ...names]);
  return (await readdir(dir)).find((name) => known.has(name));
}
