/** Builds safetensors bytes by hand, so that the tests of the reader do not depend on the writer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { CheckpointError, parseSafetensors, type SafetensorsReader } from '#wave/checkpoint/index.js';

/** Length field, header text and data. */
export function framed(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** One entry as JSON text. */
export function entry(dtype: string, shape: readonly number[], begin: number, end: number): string {
  return `{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`;
}

/** A file with one F32 tensor "a" of one element, whose entry text can be replaced. */
export function single(entryText: string = entry('F32', [1], 0, 4), data: Uint8Array = new Uint8Array(4)): Uint8Array {
  return framed(`{"a":${entryText}}`, data);
}

export function parse(bytes: Uint8Array): SafetensorsReader {
  return parseSafetensors(bytes, 'sample.safetensors');
}

/** The error that an action throws; anything but a `CheckpointError` with one line that names the source fails. */
export function errorOf(action: () => unknown): CheckpointError {
  try {
    action();
  } catch (error) {
    return checked(error);
  }
  return expect.fail('nothing was thrown');
}

/** As {@link errorOf}, for promises. */
export async function rejectionOf(promise: Promise<unknown>): Promise<CheckpointError> {
  const error = await promise.then(
    () => expect.fail('nothing was thrown'),
    (reason: unknown) => reason,
  );
  return checked(error);
}

function checked(error: unknown): CheckpointError {
  if (!(error instanceof CheckpointError)) {
    throw error;
  }
  expect(error.message).not.toMatch(/[\n\r\0]/);
  expect(error.message.length).toBeGreaterThan(error.source.length + 4);
  return error;
}

/** A folder that is removed after the tests of a file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wave-checkpoint-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
