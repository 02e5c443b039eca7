/** Folders of so many files that their names, as arguments of a call, would overflow the stack. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from './source-support.js';

/** The stack overflows at an eighth of the usual size, so a tenth of the files will do. */
const STACK_KIB = 128;
const FILES = 20_000;

const folder = temporaryFolder();

/** Runs a script with a small stack; the modules lie as built. */
function run(script: string): string {
  const args = [`--stack-size=${STACK_KIB}`, '--input-type=module', '-e', script];
  return execFileSync(process.execPath, args, { encoding: 'utf8', cwd: new URL('../..', import.meta.url) });
}

describe('a folder of many files', () => {
  it('is listed', () => {
    mkdirSync(join(folder, 'cat', 'deep'), { recursive: true });
    for (let i = 0; i < FILES; i++) closeSync(openSync(join(folder, 'cat', 'deep', `${i}.png`), 'w'));
    const [root, pattern] = [folder, join(folder, 'cat', 'deep', '*.png')].map((path) => JSON.stringify(path));
    const found = run(`
      const many = Array.from({ length: ${FILES} });
      let spread = 'fits';
      try { [].push(...many); } catch { spread = 'overflows'; }
      const { openFolder } = await import('#wave/data/index.js');
      const { listImages } = await import('#wave/data/folder.js');
      const { listFiles } = await import('#wave/data/file-list.js');
      const { count } = await openFolder(${root}, { classNames: null, channels: 3 });
      const images = await listImages(${root});
      const files = await listFiles(${pattern}, 'here');
      console.log(spread, count, images.length, files.length);
    `);
    expect(found).toBe(`overflows ${FILES} ${FILES} ${FILES}\n`);
  });
});
