import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '#wave/base/errors.js';
import { listFiles } from '#wave/data/file-list.js';
import { temporaryFolder } from './source-support.js';

const folder = temporaryFolder();
beforeAll(() => {
  for (const name of ['a', 'b']) mkdirSync(join(folder, name));
  for (const name of ['a/x-2.tar', 'a/x-10.tar', 'b/x-1.tar', 'a/.x-3.tar', 'a/y+1.tar']) {
    writeFileSync(join(folder, name), '');
  }
});

const list = (patterns: string | string[]) => listFiles(patterns, 'data.train.files');

describe('listFiles', () => {
  it.each([
    ['a.bin', ['a.bin']],
    ['s-{000..002}.tar', ['s-000.tar', 's-001.tar', 's-002.tar']],
    ['s-{8..11}', ['s-8', 's-9', 's-10', 's-11']],
    ['s-{08..11}', ['s-08', 's-09', 's-10', 's-11']],
    ['{b,a}/{0..1}', ['b/0', 'b/1', 'a/0', 'a/1']],
    ['{x}{}', ['{x}{}']],
  ])('%s', async (pattern, files) => {
    expect(await list(pattern)).toEqual(files);
  });

  it('keeps the order of the list, and sorts what one pattern finds', async () => {
    expect(await list(['z.tar', `${folder}/a/x-*.tar`, 'c.tar'])).toEqual([
      'z.tar',
      `${folder}/a/x-10.tar`,
      `${folder}/a/x-2.tar`,
      'c.tar',
    ]);
    expect(await list(`${folder}/*/x-?.tar`)).toEqual([`${folder}/a/x-2.tar`, `${folder}/b/x-1.tar`]);
    expect(await list(`${folder}/a/*+1.*`)).toEqual([`${folder}/a/y+1.tar`]);
  });

  it.each([
    ['s-{3..1}', ConfigError, /^data\.train\.files: \{3\.\.1\} runs backwards; write \{1\.\.3\}$/],
    ['{0..999999}', ConfigError, /names more than 100000 files/],
    ['{0..999}{0..999}{0..999}', ConfigError, /names more than 100000 files/],
    [`a/{1,1}`, ConfigError, /^data\.train\.files: a\/1 is named twice; name every file once$/],
  ])('refuses %s', async (pattern, kind, message) => {
    await expect(list(pattern)).rejects.toThrow(message);
    await expect(list(pattern)).rejects.toBeInstanceOf(kind);
  });

  it('says when nothing is found', async () => {
    await expect(list(`${folder}/a/*.bin`)).rejects.toThrow(/^data\.train\.files: no file matches ".*\*\.bin"; check/);
    await expect(list(`${folder}/none/*`)).rejects.toThrow(
      /none: cannot be read: no such file or folder; check the path$/,
    );
    await expect(list(`${folder}/none/*`)).rejects.toBeInstanceOf(DataError);
  });
});
