/** Checkpoints as timm and transformers save them (scripts/fixtures/make-interop-fixtures.py), and ways to spoil them. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { WaveError } from '#wave/base/errors.js';
import { type MemoryTensor, openSafetensors, writeSafetensors } from '#wave/checkpoint/index.js';
import type { Hints } from '#wave/model/detect.js';
import { loadModel } from '#wave/model/load.js';

const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));

/** A file or folder among the fixtures. */
export const interop = (name: string): string => join(FIXTURES, name);

/** Folders of checkpoints. */
export const CASES = readdirSync(FIXTURES, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

/** Checkpoints without a config.json beside them: the heads have to be given. */
export const BARE = ['timm-bare', 'timm-module'];

/** A folder for one test file; the caller removes it. */
export const temporary = (name: string): string => mkdtempSync(join(tmpdir(), `wave-${name}-`));

/** A copy of a fixture's folder. */
export function copyOf(name: string, root: string): string {
  const folder = mkdtempSync(join(root, `${name}-`));
  cpSync(interop(name), folder, { recursive: true });
  return folder;
}

/** Changes fields of a JSON file in a folder; undefined takes a field away. */
export function changeJson(folder: string, file: string, fields: Readonly<Record<string, unknown>>): void {
  const path = join(folder, file);
  const record: unknown = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...Object(record), ...fields }));
}

/** Writes `model.safetensors` of a folder again, with other tensors. */
export async function changeTensors(
  folder: string,
  change: (tensors: Map<string, MemoryTensor>) => void,
): Promise<void> {
  const path = join(folder, 'model.safetensors');
  const file = await openSafetensors(path);
  const tensors = new Map<string, MemoryTensor>();
  for (const [name, { dtype, shape }] of file.tensors) {
    tensors.set(name, { dtype, shape, data: await file.readBytes(name) });
  }
  await file.close();
  change(tensors);
  await writeSafetensors(path, tensors, [['format', 'pt']]);
}

/** F32 zeros of a shape. */
export function zeros(...shape: number[]): MemoryTensor {
  return { dtype: 'F32', shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
}

/** What stands in place of a file that Git LFS has not fetched. */
export const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n';

/** The class and the message, with the folder left out; anything but one line that begins with the path fails. */
export async function refusal(folder: string, hints: Hints = {}, path = folder): Promise<[unknown, string]> {
  const error: unknown = await loadModel(path, hints).then(
    () => 'is accepted',
    (reason: unknown) => reason,
  );
  if (!(error instanceof WaveError)) throw error instanceof Error ? error : new Error(String(error));
  expect(error.message).not.toContain('\n');
  expect(error.message.startsWith(folder), error.message).toBe(true);
  return [error.constructor, error.message.replaceAll(folder, '').replace(/^[:\s]+/, '')];
}
