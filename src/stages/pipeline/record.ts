/**
 * What a task leaves beside its artifacts: `stage.json` when it is done, and while it runs `stage.running.json`, by which
 * a task that was killed is known and gone on with.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../../base/atomic-write.js';
import { configSha256 } from '../../config/index.js';

const RECORD = 'stage.json';
const MARKER = 'stage.running.json';
/** Files of a task that are its pipeline's. */
export const RECORD_FILES = [RECORD, MARKER];

const fingerprintSchema = z.object({
  /** Version of the suite. */
  tool: z.string(),
  kind: z.string(),
  config: z.unknown(),
  target: z.unknown(),
  /** SHA-256 by role. */
  inputs: z.record(z.string(), z.string()),
  /** SHA-256 over the data files; null where no file is read. */
  data: z.string().nullable(),
});

/** All that decides what a task gives. */
export type Fingerprint = z.output<typeof fingerprintSchema>;

const recordSchema = z.object({
  fingerprint: fingerprintSchema,
  /** SHA-256 by file name. */
  outputs: z.record(z.string(), z.string()),
  /** What the stage returned. */
  results: z.record(z.string(), z.unknown()),
  seconds: z.number(),
});

export type StageRecord = z.output<typeof recordSchema>;

const markerSchema = z.object({
  fingerprint: fingerprintSchema,
  /** SHA-256 of the saved state that was there when the task began, which is not the task's own. */
  stateBefore: z.string().nullable(),
});

export type Marker = z.output<typeof markerSchema>;

/** @returns undefined when there is none, or none that this version understands. */
export function readRecord(dir: string): Promise<StageRecord | undefined> {
  return read(join(dir, RECORD), recordSchema);
}

export function readMarker(dir: string): Promise<Marker | undefined> {
  return read(join(dir, MARKER), markerSchema);
}

/** @throws WriteError */
export async function writeMarker(dir: string, marker: Marker): Promise<void> {
  await writeFileAtomically(join(dir, MARKER), `${JSON.stringify(marker, undefined, 2)}\n`);
}

/**
 * The task is done.
 *
 * @throws WriteError
 */
export async function writeRecord(dir: string, record: StageRecord): Promise<void> {
  await writeFileAtomically(join(dir, RECORD), `${JSON.stringify(record, undefined, 2)}\n`);
  await rm(join(dir, MARKER), { force: true });
}

/** Whether two tasks are the same, whatever the order of their keys. */
export function sameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  return configSha256(a) === configSha256(b);
}

async function read<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema> | undefined> {
  try {
    return schema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}
