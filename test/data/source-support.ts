/** What tests of sources share: the fixtures of scripts/fixtures/make-source-fixtures.py, and folders of their own. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { RecordSource } from '#wave/data/index.js';
import { openRecords } from '#wave/data/records.js';

/** Path of a fixture. */
export const fixture = (name: string) => fileURLToPath(new URL(`fixtures/sources/${name}`, import.meta.url));

/** SHA-256 of the image of each number. */
export const IMAGES: readonly string[] = JSON.parse(readFileSync(fixture('expected.json'), 'utf8')).images;

/** A folder that is gone when the tests of a file have ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wave-sources-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Number of the image in each record, as the loader's threads read it. */
export async function imagesOf(source: RecordSource): Promise<number[]> {
  const reader = openRecords(structuredClone(source.records));
  const found: number[] = [];
  for (let i = 0; i < source.count; i++) {
    const digest = createHash('sha256')
      .update(await reader.read(i))
      .digest('hex');
    found.push(IMAGES.indexOf(digest));
  }
  await reader.close();
  return found;
}

/** 0 .. count - 1, shifted. */
export const numbers = (count: number, first = 0) => Array.from({ length: count }, (_, i) => first + i);
