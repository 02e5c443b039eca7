import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DataError } from '#wave/base/errors.js';
import { dataSchema } from '#wave/config/index.js';
import { Loader, openData, openFolder, type UnreadableImage } from '#wave/data/index.js';
import { relativeName } from '#wave/data/records.js';
import { temporaryFolder } from './source-support.js';

const base = temporaryFolder();
const image = (name: string) => fileURLToPath(new URL(`fixtures/pictures/${name}`, import.meta.url));
const options = { classNames: null, channels: 3 };

/** A folder of files; a name stands for a fixture, `-> TARGET` for a link, anything else for a text. */
function folder(name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, what] of Object.entries(files)) {
    const target = join(base, name, path);
    mkdirSync(dirname(target), { recursive: true });
    if (what.startsWith('-> ')) symlinkSync(what.slice(3), target);
    else if (/\.\w{3,4}$/.test(what)) copyFileSync(image(what), target);
    else writeFileSync(target, what);
  }
  return join(base, name);
}

async function namesIn(path: string): Promise<string[]> {
  const { records, count } = await openFolder(path, options);
  return Array.from({ length: count }, (_, i) => relativeName(records, i));
}

describe('openFolder', () => {
  it('numbers classes by their sorted names and images by their sorted paths', async () => {
    const path = folder('plain', {
      'owl/b.JPG': 'wide.jpg',
      'owl/a.png': 'wide.png',
      'cat/deep/er/c.webp': 'lossless.webp',
      'cat/notes.txt': 'no image',
      'cat/.hidden.jpg': 'wide.jpg',
      '.git/x/a.jpg': 'wide.jpg',
      'readme.md': 'no image',
    });
    const source = await openFolder(path, options);
    expect(source.classNames).toEqual(['cat', 'owl']);
    expect([...source.labels]).toEqual([0, 1, 1]);
    expect(await namesIn(path)).toEqual(['cat/deep/er/c.webp', 'owl/a.png', 'owl/b.JPG']);
    const given = await openFolder(path, { classNames: ['owl', 'dog', 'cat'], channels: 3 });
    expect([...given.labels]).toEqual([0, 0, 2]);
  });

  it('follows links to files and folders', async () => {
    const outside = folder('outside', { 'a.jpg': 'wide.jpg', 'more/b.jpg': 'tall.jpg' });
    const path = folder('links', {
      'cat/own.jpg': 'wide.jpg',
      'cat/link.jpg': `-> ${outside}/a.jpg`,
      'cat/below': `-> ${outside}/more`,
      owl: `-> ${outside}`,
    });
    expect(await namesIn(path)).toEqual([
      'cat/below/b.jpg',
      'cat/link.jpg',
      'cat/own.jpg',
      'owl/a.jpg',
      'owl/more/b.jpg',
    ]);
  });

  it.each([
    ['nothing', {}, /nothing: cannot be read: no such file or folder/],
    [
      'no-classes',
      { 'a.jpg': 'wide.jpg' },
      /no-classes: holds no folders; it must hold one folder of images for each class$/,
    ],
    ['no-images', { 'cat/a.txt': 'text' }, /no-images: its folders hold no images \(\.jpg, /],
    [
      'loop',
      { 'cat/a.jpg': 'wide.jpg', 'cat/in/loop': '-> ../../cat' },
      /in\/loop: is a link to a folder that it lies in;/,
    ],
    [
      'self',
      { 'cat/a.jpg': 'wide.jpg', 'cat/loop': '-> .' },
      /cat\/loop: is a link to a folder that it lies in; remove/,
    ],
    ['deep', { 'cat/1/2/3/4/5/6/7/8/9/a.jpg': 'wide.jpg' }, /8\/9: lies too deep for an image folder$/],
  ])('refuses %s', async (name, files, message) => {
    await expect(openFolder(join(folder(name, files), ''), options)).rejects.toThrow(message);
    await expect(openFolder(join(base, name), options)).rejects.toBeInstanceOf(DataError);
  });

  it.skipIf(process.platform === 'win32')('refuses a pipe, which would be waited for without end', async () => {
    const path = folder('pipe', { 'cat/a.jpg': 'wide.jpg' });
    execFileSync('mkfifo', [join(path, 'cat/b.jpg')]);
    await expect(openFolder(path, options)).rejects.toThrow(/b\.jpg: is not a file; move it away$/);
  });

  it('tells classes without images, and images of formats that are not read', async () => {
    const files = {
      'cat/a.jpg': 'wide.jpg',
      'cat/deep/b.BMP': 'x',
      'cat/c.bmp': 'x',
      'owl/d.ppm': 'x',
      'cat/n.txt': 'x',
    };
    const path = folder('notes', files);
    const given = await openFolder(path, { classNames: ['owl', 'dog', 'cat'], channels: 3 });
    expect(given.notes).toEqual([
      `${path}: 2 of 3 classes have no images: "owl", "dog"`,
      `${path}: images of formats that cannot be read are left out (2 .bmp, 1 .ppm); convert them to PNG`,
    ]);
    expect((await openFolder(folder('none-missing', { 'cat/a.jpg': 'wide.jpg' }), options)).notes).toBeUndefined();
    await expect(openFolder(folder('bmp-only', { 'cat/a.bmp': 'x' }), options)).rejects.toThrow(
      /hold no images \(.*\); images of formats that cannot be read are left out \(1 \.bmp\); convert them to PNG$/,
    );
  });

  it('refuses folders of classes that are not listed', async () => {
    const path = folder('unknown', { 'cat/a.jpg': 'wide.jpg', 'dog/a.jpg': 'wide.jpg' });
    await expect(openFolder(path, { classNames: ['cat'], channels: 3 })).rejects.toThrow(
      /dog: is a folder of no class that/,
    );
  });
});

describe('images of a folder that cannot be read', () => {
  const broken = {
    'empty.jpg': 'broken-empty.jpg',
    'text.jpg': 'broken-text.jpg',
    'short.jpg': 'broken-truncated.jpg',
    'bomb.png': 'broken-bomb.png',
    'gone.jpg': '-> /nowhere/at/all.jpg',
  };

  async function evaluate(path: string, onBroken: string) {
    const block = { source: 'folder', test: { folder: path }, image: 16, on_broken: onBroken };
    const dataset = await openData(dataSchema.parse(block), 'test', { seed: 0 });
    const told: UnreadableImage[] = [];
    const loader = new Loader({
      dataset,
      mode: 'eval',
      batch: 4,
      patch: 8,
      seed: 0,
      workers: 1,
      onBroken: (one) => told.push(one),
    });
    const labels: number[] = [];
    try {
      for (let epoch = 0; epoch < 2; epoch++) {
        for await (const batch of loader.epoch(epoch)) labels.push(...batch.labels.subarray(0, batch.size));
      }
    } finally {
      await loader.close();
    }
    return { told, labels, broken: loader.broken };
  }

  it('end an evaluation with the first one, by name', async () => {
    const path = folder('one', { 'cat/a.jpg': 'wide.jpg', 'cat/b.jpg': 'broken-text.jpg' });
    await expect(evaluate(path, 'fail')).rejects.toThrow(
      /cat\/b\.jpg: cannot be decoded as an image: Input buffer .*; repair or remove it, or set data\.on_broken to skip$/,
    );
  });

  it('are told once each, counted, and not part of the result when they may be left out', async () => {
    const files = Object.fromEntries(Object.entries(broken).map(([name, what]) => [`cat/${name}`, what]));
    const path = folder('several', { ...files, 'cat/good.jpg': 'wide.jpg', 'owl/good.png': 'wide.png' });
    const { told, labels, broken: count } = await evaluate(path, 'skip');
    expect(count).toBe(5);
    expect(told.map(({ name, reason }) => [name.slice(path.length + 5), reason])).toEqual([
      ['bomb.png', expect.stringMatching(/exceeds pixel limit of 100000000$/)],
      ['empty.jpg', 'the file is empty'],
      ['gone.jpg', 'cannot be read: no such file or folder; check the path'],
      ['short.jpg', expect.stringMatching(/the JPEG file ends early$/)],
      ['text.jpg', expect.stringMatching(/unsupported image format$/)],
    ]);
    expect(labels).toEqual([-1, -1, -1, 0, -1, -1, 1, -1, -1, -1, 0, -1, -1, 1]);
  });

  it.skipIf(process.getuid?.() === 0)('tell missing rights', async () => {
    const path = folder('rights', { 'cat/a.jpg': 'wide.jpg' });
    chmodSync(join(path, 'cat/a.jpg'), 0);
    await expect(evaluate(path, 'fail')).rejects.toThrow(/a\.jpg: cannot be read: permission denied/);
  });
});
