import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeFolder } from '#wave/base/make-folder.js';

const root = mkdtempSync(join(tmpdir(), 'wave-folder-'));
afterAll(() => rmSync(root, { recursive: true }));

describe('makeFolder', () => {
  it('makes all folders of a path, and is content with those that are there', async () => {
    await makeFolder(join(root, 'a/b/c'));
    await makeFolder(join(root, 'a/b/c'));
    expect(statSync(join(root, 'a/b/c')).isDirectory()).toBe(true);
  });

  it('is content with a link to a folder', async () => {
    symlinkSync(root, join(root, 'link'));
    await makeFolder(join(root, 'link/d'));
    expect(existsSync(join(root, 'd'))).toBe(true);
  });

  it.each([
    ['in the way', 'file', 'EEXIST'],
    ['above it', 'file/x', 'ENOTDIR'],
    ['higher up', 'file/x/y', 'ENOTDIR'],
  ])('fails with a file %s', async (_where, path, code) => {
    writeFileSync(join(root, 'file'), '');
    await expect(makeFolder(join(root, path))).rejects.toMatchObject({ code });
  });

  it.runIf(process.platform === 'linux')('comes back where no folder can be made, as in /proc', async () => {
    await expect(makeFolder('/proc/wave/run')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
