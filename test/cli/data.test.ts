/** `wave data` on folders of a few images whose every pixel is known, and on drawn ones. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type DataListing,
  type DataStatistics,
  evaluateSchema,
  InterruptedError,
  loadConfig,
  measureData,
} from '#wave/index.js';
import { result } from './data-support.js';
import { wave } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'wave-data-'));
const at = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

/** A PNG of one colour. */
async function plain(path: string, width: number, height: number, background: string): Promise<void> {
  mkdirSync(join(path, '..'), { recursive: true });
  await sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toFile(path);
}

beforeAll(async () => {
  await plain(at('train', 'cat', 'a.png'), 30, 20, '#ff0000');
  await plain(at('train', 'cat', 'b.png'), 30, 20, '#000000');
  await plain(at('train', 'cat', 'c.png'), 12, 40, '#000000');
  await plain(at('train', 'dog', 'a.png'), 50, 16, '#00330f');
  await plain(at('test', 'cat', 'a.png'), 30, 20, '#ff0000');
  await plain(at('test', 'dog', 'b.png'), 30, 20, '#000000');
  writeFileSync(at('train', 'dog', 'empty.jpg'), '');
  writeFileSync(at('train', 'dog', 'text.jpg'), 'no image');
  const data = { source: 'folder', train: { folder: at('train') }, test: { folder: at('test') }, image: 8 };
  writeFileSync(
    at('folder.yaml'),
    `model: { patch: 4, depth: 1, width: 8, heads: 1 }\ndata: ${JSON.stringify(data)}\n`,
  );
  const synthetic = { image: 8, channels: 3, classes: 3, train: 32, test: 6 };
  writeFileSync(at('drawn.yaml'), `data: { source: synthetic, synthetic: ${JSON.stringify(synthetic)} }\n`);
});

describe('wave data ls', () => {
  it('tells splits, classes and how many images each has', async () => {
    expect(await result<DataListing>(['ls', '--config', at('folder.yaml')])).toEqual({
      splits: [
        {
          split: 'train',
          source: 'folder',
          name: at('train'),
          images: 6,
          used: 6,
          classes: 2,
          image: [8, 8],
          channels: 3,
          leftOut: 0,
        },
        expect.objectContaining({ split: 'test', name: at('test'), images: 2, used: 2 }),
      ],
      classes: [
        { index: 0, name: 'cat', train: 3, test: 1 },
        { index: 1, name: 'dog', train: 3, test: 1 },
      ],
      notes: [],
      problem: null,
    });
  });

  it('counts what a subset leaves in use', async () => {
    const words = ['ls', '--config', at('folder.yaml'), '--set', 'data.limit=3', '--seed', '1'];
    const { splits, classes } = await result<DataListing>(words);
    expect(splits.map(({ images, used }) => [images, used])).toEqual([
      [6, 3],
      [2, 2],
    ]);
    expect(classes.reduce((sum, { train }) => sum + (train ?? 0), 0)).toBe(3);
  });

  it('prints two tables', async () => {
    const { code, stdout, stderr } = await wave(['data', 'ls', '--config', at('folder.yaml')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replaceAll(folder, 'HERE').replace(/-{8,}/, '----------')).toMatchInlineSnapshot(`
      "split  images  in use  classes  seen as  from
      -----  ------  ------  -------  -------  ----------
      train       6       6        2    8x8x3  folder HERE/train
      test        2       2        2    8x8x3  folder HERE/test

      class  name  train  test
      -----  ----  -----  ----
          0  cat       3     1
          1  dog       3     1
      "
    `);
  });

  it('shows a split alone where there is only one', async () => {
    const { splits, classes } = await result<DataListing>([
      'ls',
      '--config',
      at('folder.yaml'),
      '--set',
      'data.test=null',
    ]);
    expect(splits.map(({ split }) => split)).toEqual(['train']);
    expect(classes[0]).toEqual({ index: 0, name: 'cat', train: 3, test: null });
  });

  it('shows what there is of splits that do not fit together, and fails', async () => {
    mkdirSync(at('other', 'bird'), { recursive: true });
    await plain(at('other', 'bird', 'a.png'), 8, 8, '#123456');
    await plain(at('other', 'cat', 'a.png'), 8, 8, '#123456');
    const words = ['data', 'ls', '--config', at('folder.yaml'), '--set', `data.test.folder=${at('other')}`];
    const { code, stdout, stderr } = await wave(words);
    expect(code).toBe(2);
    expect(stdout).toContain(at('other'));
    expect(stderr).toMatch(/^wave: error: .*other: class 0 is "bird", in .*train "cat"; [^\n]+\n$/);
  });

  it('shows classes without images, and tells them below with what else is not read', async () => {
    await plain(at('gaps', 'cat', 'a.png'), 8, 8, '#123456');
    mkdirSync(at('gaps', 'dog'));
    writeFileSync(at('gaps', 'cat', 'b.bmp'), '');
    const words = ['data', 'ls', '--config', at('folder.yaml'), '--set', `data.test.folder=${at('gaps')}`];
    const { code, stdout } = await wave(words);
    expect(code).toBe(0);
    expect(stdout.replaceAll(folder, 'HERE')).toMatch(
      / {4}1 {2}dog {7}3 {5}0\n\nHERE\/gaps: 1 of 2 classes have no images: "dog"\n\nHERE\/gaps: images of formats .*\(1 \.bmp\)/,
    );
  });

  it('says why where no sample can be used, and how many samples are left out', async () => {
    const tar = (name: string) => fileURLToPath(new URL(`../data/fixtures/sources/${name}`, import.meta.url));
    const source = ['--config', at('folder.yaml'), '--set', 'data.source=webdataset', '--set', 'data.classes=3'];
    const words = [...source, '--set', 'data.test=null', '--set', `data.train.files=${tar('no-label.tar')}`];
    expect((await wave(['data', 'ls', ...words])).stdout).toMatch(/no-label\.tar, 1 sample left out\n/);
    const { code, stderr } = await wave(['data', 'ls', ...words, '--set', 'data.webdataset.label=lbl']);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^wave: error: .*no-label\.tar: holds no sample that can be used: 3 left out, the first, .*: \S+, has no label: no member \.lbl; [^\n]+\n$/,
    );
  });

  it('refuses what only stats has', async () => {
    const { code, stderr } = await wave(['data', 'ls', '--config', at('folder.yaml'), '--limit', '3', '--force']);
    expect(code).toBe(2);
    expect(stderr).toBe(
      'wave: error: flag --limit is for wave data stats; leave it out, or call stats\n' +
        'wave: error: flag --force is for wave data stats; leave it out, or call stats\n',
    );
  });
});

describe('wave data stats', () => {
  it('measures sizes and pixels of the images that can be read, and names the others', async () => {
    const found = await result<DataStatistics>(['stats', '--config', at('folder.yaml')]);
    expect(found).toMatchObject({
      split: 'train',
      images: 6,
      measured: 4,
      width: { min: 12, median: 30, max: 50 },
      height: { min: 16, median: 20, max: 40 },
      sizes: [
        { height: 20, width: 30, images: 2 },
        { height: 16, width: 50, images: 1 },
        { height: 40, width: 12, images: 1 },
      ],
      differentSizes: 3,
      image: [8, 8],
      settings: { mean: [0.5], std: [0.5] },
    });
    expect(found.broken).toEqual({
      count: 2,
      images: [
        { name: at('train', 'dog', 'empty.jpg'), reason: 'the file is empty' },
        { name: at('train', 'dog', 'text.jpg'), reason: expect.stringMatching(/^cannot be decoded as an image: /) },
      ],
    });
    // Red is 255 in one image of four, green 51 and blue 15 in another; every image counts 8 x 8 pixels.
    const quarter = (value: number) => [value / 4, Math.sqrt(value ** 2 / 4 - (value / 4) ** 2)];
    [1, 51 / 255, 15 / 255].forEach((value, channel) => {
      const [mean, std] = quarter(value);
      expect(found.mean[channel]).toBeCloseTo(mean, 12);
      expect(found.std[channel]).toBeCloseTo(std, 12);
    });
  });

  it.each([0, 1, 3])('finds the same with %i threads', async (workers) => {
    const words = ['stats', '--config', at('drawn.yaml'), '--set', 'data.synthetic.train=200', '--set'];
    const { mean, std } = await result<DataStatistics>([...words, `data.workers=${workers}`]);
    const one = await result<DataStatistics>([...words, 'data.workers=1']);
    expect({ mean, std }).toEqual({ mean: one.mean, std: one.std });
  });

  it('measures a part, spread over the classes', async () => {
    const found = await result<DataStatistics>(['stats', '--config', at('folder.yaml'), '--limit', '2']);
    // The first of each class.
    expect(found).toMatchObject({ measured: 2, images: 6, broken: { count: 0 }, width: { min: 30, max: 50 } });
  });

  it('measures the test split', async () => {
    const found = await result<DataStatistics>(['stats', '--config', at('folder.yaml'), '--split', 'test']);
    expect(found).toMatchObject({ split: 'test', measured: 2, mean: [0.5, 0, 0], std: [0.5, 0, 0] });
  });

  it('stops when it is asked to', async () => {
    const { data } = loadConfig({ schema: evaluateSchema, file: at('folder.yaml') });
    const context = { emit: () => undefined, signal: AbortSignal.abort(), command: 'test' };
    const measured = measureData({ data, seed: 0 }, { split: 'train' }, context);
    await expect(measured).rejects.toThrow(InterruptedError);
  });

  it('prints facts, and a table of what cannot be read', async () => {
    const { code, stdout, stderr } = await wave(['data', 'stats', '--config', at('folder.yaml'), '--quiet']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(
      stdout
        .replaceAll(folder, 'HERE')
        .replace(/( +cannot be decoded).*/, '$1')
        .replace(/-{14,}/g, '-----')
        .replace(/ {8,}/g, '  '),
    ).toMatchInlineSnapshot(`
      "split  train
      from  HERE/train
      images  4 measured of 6 in use
      cannot be read  2
      width  12 to 50, median 30
      height  16 to 40, median 20
      sizes  3 different, most frequent 30x20 (2), 50x16 (1), 12x40 (1)
      seen as  8x8
      mean  0.2500, 0.0500, 0.0147 (0.5 in the settings)
      std  0.4330, 0.0866, 0.0255 (0.5 in the settings)

      cannot be read  reason
      -----  -----
      HERE/train/dog/empty.jpg  the file is empty
      HERE/train/dog/text.jpg   cannot be decoded
      "
    `);
  });

  it('says so where nothing can be read', async () => {
    mkdirSync(at('bad', 'a'), { recursive: true });
    writeFileSync(at('bad', 'a', 'x.png'), 'x');
    mkdirSync(at('bad', 'b'));
    writeFileSync(at('bad', 'b', 'x.png'), 'x');
    const words = ['stats', '--config', at('folder.yaml'), '--set', `data.train.folder=${at('bad')}`];
    const found = await result<DataStatistics>(words);
    expect(found).toMatchObject({ broken: { count: 2 }, width: null, height: null, sizes: [] });
  });
});

describe('mistakes', () => {
  it('names the actions', async () => {
    const { code, stderr } = await wave(['data', 'stat', '--config', at('folder.yaml')]);
    expect(code).toBe(2);
    expect(stderr).toBe(
      'wave: error: unknown action "stat" (did you mean stats?); give ls or stats, see wave data --help\n',
    );
  });

  it('says which folder is missing', async () => {
    const words = ['data', 'ls', '--config', at('folder.yaml'), '--set', `data.test.folder=${at('none')}`];
    const { code, stdout, stderr } = await wave(words);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^wave: error: .*none: [^\n]+\n$/);
  });

  it('checks the settings alone with --dry-run', async () => {
    const words = ['data', 'ls', '--config', at('folder.yaml'), '--set', 'data.test.folder=none', '--dry-run'];
    const { code, stdout } = await wave(words);
    expect(code).toBe(0);
    expect(stdout).toContain('folder: none');
  });
});
