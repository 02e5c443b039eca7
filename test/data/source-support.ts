/** What tests of sources share: the fixtures of scripts/fixtures/make-source-fixtures.py, and folders of their own. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { RecordSource } from '#wave/data/index.js';
import { type Picture, readPicture } from '#wave/data/picture.js';
import { openRecords, type RecordReader } from '#wave/data/records.js';

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

/** The same bytes, the first PNG in them claiming 50,000 x 50,000 pixels. */
export function asBomb(bytes: Buffer): Buffer {
  const at = bytes.indexOf(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) + 8;
  for (const side of [at + 8, at + 12]) bytes.writeUInt32BE(50_000, side);
  bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, at + 21)), at + 21);
  return bytes;
}

/** Decodes a record, in its own size. */
export async function readRecord(reader: RecordReader, index: number): Promise<Picture> {
  const frame = (height: number, width: number) => ({ size: [height, width], interpolation: 'nearest' }) as const;
  return readPicture(await reader.read(index), { channels: 3, frame });
}

/** As PNG has it; Node has it from version 22 on only. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
