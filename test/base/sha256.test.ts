import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError } from '#wave/base/errors.js';
import { sha256, sha256File } from '#wave/base/sha256.js';

const folder = mkdtempSync(join(tmpdir(), 'wave-sha-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('sha256', () => {
  it('gives the published digests of "" and "abc"', () => {
    expect(sha256('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(sha256(Buffer.from('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});

describe('sha256File', () => {
  it.each([0, 3, 1 << 20, (1 << 20) * 2 + 7])('hashes a file of %i bytes', async (size) => {
    const content = Buffer.alloc(size, 'pattern');
    const path = join(folder, 'file');
    writeFileSync(path, content);
    expect(await sha256File(path)).toBe(createHash('sha256').update(content).digest('hex'));
  });

  it('names a file that cannot be read', async () => {
    const path = join(folder, 'missing');
    await expect(sha256File(path)).rejects.toThrow(
      new DataError(`${path}: cannot be read: no such file or folder; check the path`),
    );
  });
});
