/** Whether a task has to be run, and why. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { differences } from '../changed-settings.js';
import { runFolder } from '../run-folder.js';
import type { Hashes } from './hashes.js';
import { type Fingerprint, type Marker, readMarker, readRecord, type StageRecord, sameFingerprint } from './record.js';

/** Settings that differ and are named; more are counted. */
const NAMED_SETTINGS = 1;

/** What is to be done with a task. */
export type Verdict =
  | { readonly upToDate: true; readonly record: StageRecord }
  | { readonly upToDate: false; readonly reason: string };

/**
 * Up to date is what was made by this version from the same settings, inputs and data, and is still as it was written.
 * All of it is judged by content: dates and names do not count.
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
  if (role !== undefined) return `input ${role} is new`;
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
  const found = await hashes.ifThere(runFolder(dir).state);
  return found === undefined || found === marker.stateBefore ? undefined : marker;
}

/** Whether the folder holds results that no pipeline has written: those are not replaced unasked. */
export async function holdsOthers(dir: string, names: readonly string[]): Promise<string | undefined> {
  if (!existsSync(dir) || (await readRecord(dir)) !== undefined || (await readMarker(dir)) !== undefined)
    return undefined;
  const { state, metrics } = runFolder('');
  const known = new Set([state, metrics, ...names]);
  return (await readdir(dir)).find((name) => known.has(name));
}
