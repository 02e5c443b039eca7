import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { firstDifference, readClassNames } from '#wave/data/class-names.js';
import { temporaryFolder } from './source-support.js';

const folder = temporaryFolder();

function file(bytes: Buffer | string): string {
  const path = join(folder, 'names.txt');
  writeFileSync(path, bytes);
  return path;
}

describe('readClassNames', () => {
  it.each([
    ['plain', 'cat\nhorned owl\n'],
    ['with a byte order mark', '\uFEFFcat\nhorned owl\n'],
    ['with spaces at the end of lines', 'cat \t\r\nhorned owl  \r\n\r\n'],
  ])('reads names %s', async (_, text) => {
    expect(await readClassNames(file(text))).toEqual(['cat', 'horned owl']);
  });

  it.each([
    [
      'UTF-16 with a mark',
      Buffer.from('\uFEFFcat\n', 'utf16le'),
      /names\.txt: is no text in UTF-8 but looks like UTF-16; save/,
    ],
    [
      'UTF-16, the higher byte first',
      Buffer.from('\uFEFFcat\n', 'utf16le').swap16(),
      /looks like UTF-16; save it as UTF-8$/,
    ],
    ['UTF-16 without a mark', Buffer.from('cat\n', 'utf16le'), /looks like UTF-16; save it as UTF-8$/],
    ['Latin-1', Buffer.from('caf\u00e9\n', 'latin1'), /names\.txt: is no text in UTF-8; save it as UTF-8$/],
    ['an empty line', 'cat\n \nowl\n', /line 2 is empty; give every class a name$/],
    ['a name twice', 'cat\ncat \n', /line 2 has "cat" again; names differ$/],
  ])('refuses %s', async (_, bytes, message) => {
    await expect(readClassNames(file(bytes))).rejects.toThrow(message);
    await expect(readClassNames(file(bytes))).rejects.toBeInstanceOf(ConfigError);
  });
});

describe('firstDifference', () => {
  const numbers = ['0', '1', '2'];
  it.each([
    ['names', ['cat', 'dog'], ['cat', 'owl'], 1, 1],
    ['numbers', numbers, ['0', '1', '3'], 2, 2],
    ['numbers written with zeros', numbers, ['000', '001', '002'], 0, undefined],
    ['numbers and names', numbers, ['cat', 'dog', 'owl'], 0, undefined],
    ['names and one that is missing', ['cat'], ['cat', 'dog'], 1, 1],
    ['the same numbers', numbers, numbers, undefined, undefined],
  ])('of %s', (_, a, b, ofFolders, ofOthers) => {
    const folders = [a, b].map((classNames) => ({ classNames, areFolders: true }));
    expect(firstDifference(folders[0], folders[1])).toBe(ofFolders);
    expect(firstDifference({ classNames: a }, folders[1])).toBe(ofOthers);
    expect(firstDifference(folders[0], { classNames: b })).toBe(ofOthers);
    expect(firstDifference({ classNames: a }, {})).toBeUndefined();
  });
});
