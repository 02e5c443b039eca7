/** What stages make of data sets on disk: names of classes, images that cannot be read, data that has changed. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataSchema } from '#wave/config/index.js';
import { loadModelSpec } from '#wave/model/load.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { finetune, finetuneSchema } from '#wave/stages/finetune.js';
import { dataFiles } from '#wave/stages/pipeline/data-files.js';
import { Hashes } from '#wave/stages/pipeline/hashes.js';
import { pretrain } from '#wave/stages/pretrain.js';
import { folderData as data, folderIn, image, warnings } from './folder-support.js';
import { context, pico } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-data-sources-'));
afterAll(() => rmSync(root, { recursive: true }));
const folder = folderIn(root);

const paths = { train: '', test: '', swapped: '', three: '' };
beforeAll(() => {
  paths.train = folder('train', ['cat', 'owl'], 8, { 'cat/x.jpg': 'broken-text.jpg', 'owl/y.jpg': 'broken-empty.jpg' });
  paths.test = folder('test', ['cat', 'owl'], 3, { 'cat/x.jpg': 'broken-truncated.jpg' });
  paths.swapped = folder('swapped', ['bat', 'cat'], 8);
  paths.three = folder('three', ['cat', 'dog', 'owl'], 8);
});

/** All 18 images of the training split are in the three batches of an epoch. */
const train = { epochs: 2, batch: 6, log_every: 100 };
const settings = (block: object) => pico({ data: block, train, eval: { batch: 8 } });
const out = (name: string) => ({ dir: join(root, 'runs', name), force: true });

describe('training on a folder', () => {
  const told = context();
  let model = '';
  let result: Awaited<ReturnType<typeof pretrain>>;
  beforeAll(async () => {
    result = await pretrain(settings(data(paths.train, paths.test)), out('first'), told);
    model = result.model;
  });

  it('keeps the names of the classes', async () => {
    expect((await loadModelSpec(model)).spec.labels).toEqual(['cat', 'owl']);
  });

  it('tells each image that cannot be read once, and how many', () => {
    expect(warnings(told).sort()).toEqual([
      expect.stringMatching(/test\/cat\/x\.jpg: cannot be decoded as an image: the JPEG file ends early; left out$/),
      expect.stringMatching(/train\/cat\/x\.jpg: cannot be decoded as an image: .*; left out$/),
      expect.stringMatching(/train\/owl\/y\.jpg: the file is empty; left out$/),
    ]);
    expect(result.brokenImages).toBe(3);
  });

  it('is evaluated without those, and says so', async () => {
    const own = context();
    const config = evaluateSchema.parse({ ...settings(data(paths.train, paths.test)) });
    const found = await evaluate(model, config, own);
    expect(found).toMatchObject({ images: 6, brokenImages: 1 });
    expect(warnings(own)).toHaveLength(1);
    const whole = evaluateSchema.parse({ ...settings(data(paths.train, folder('whole', ['cat', 'owl'], 2))) });
    expect(await evaluate(model, whole, context())).not.toHaveProperty('brokenImages');
  });

  it('is not evaluated on classes of other names', async () => {
    const config = (more: object) => evaluateSchema.parse({ ...settings(data('-', paths.swapped, more)) });
    await expect(evaluate(model, config({}), context())).rejects.toThrow(
      /model\.safetensors: class 0 is "cat", in the data "bat"; choose the model of these classes, correct the order in/,
    );
    expect((await evaluate(model, config({ check_names: false }), context())).images).toBe(16);
  });

  it('is fine-tuned on them with a new head only, which has their names', async () => {
    const config = (head: string) =>
      finetuneSchema.parse({
        data: data(paths.swapped, paths.swapped),
        train: { ...train, head },
        eval: { batch: 8 },
        engine: { threads: 1 },
      });
    await expect(finetune(config('auto'), { model }, out('kept'), context())).rejects.toThrow(
      /class 0 is "cat", in the data "bat"; set train\.head to replace, correct the order/,
    );
    const tuned = await finetune(config('replace'), { model }, out('new'), context());
    expect((await loadModelSpec(tuned.model)).spec.labels).toEqual(['bat', 'cat']);
  });
});

describe('splits of other classes', () => {
  it.each([
    [
      'in number',
      () => paths.three,
      /train: has 2 classes, .*three has 3 \(first difference: class 1 is "owl", in the other "dog"\)/,
    ],
    [
      'in name',
      () => paths.swapped,
      /swapped: class 0 is "bat", in .*train "cat"; correct the order of the classes, or/,
    ],
  ])('are refused: %s', async (_, test, message) => {
    await expect(pretrain(settings(data(paths.train, test())), out('none'), context())).rejects.toThrow(message);
  });

  it('are refused where folders are numbers, which are names like any other', async () => {
    const [one, other] = [folder('numbers', ['0', '1', '2'], 6), folder('others', ['0', '1', '3'], 6)];
    await expect(pretrain(settings(data(one, other)), out('none'), context())).rejects.toThrow(
      /others: class 2 is "3", in .*numbers "2"; correct the order of the classes, or/,
    );
    const words = folder('words', ['a', 'b', 'c'], 6);
    await expect(pretrain(settings(data(one, words)), out('none'), context())).rejects.toThrow(
      /class 0 is "a", in .* "0"/,
    );
  });

  it('are told where a class has no images', async () => {
    const told = context();
    mkdirSync(join(root, 'gaps', 'owl'), { recursive: true });
    await pretrain(settings(data(folder('gaps', ['cat'], 8), paths.test, { image: 16 })), out('gaps'), told);
    expect(warnings(told)[0]).toMatch(/gaps: 1 of 2 classes have no images: "owl"$/);
  });

  it('may have other names when names do not count', async () => {
    const config = settings(data(paths.train, paths.swapped, { check_names: false }));
    const { model } = await pretrain(config, out('unchecked'), context());
    expect((await loadModelSpec(model)).spec.labels).toEqual(['cat', 'owl']);
  });
});

describe('data files of a pipeline', () => {
  const digest = (block: object) => new Hashes().ofAll(dataFiles(dataSchema.parse(block), ['train', 'test']));

  it('of a folder change with names, sizes and dates of images, and with nothing else', async () => {
    const path = folder('digest', ['cat', 'owl'], 2);
    const block = { source: 'folder', train: { folder: path }, test: { folder: paths.test } };
    const before = await digest(block);
    expect(await digest(block)).toBe(before);
    writeFileSync(join(path, 'cat', 'notes.txt'), 'x');
    expect(await digest(block)).toBe(before);
    const seen = new Set([before]);
    const expectNew = async () => {
      const now = await digest(block);
      expect(seen.has(now)).toBe(false);
      seen.add(now);
    };
    copyFileSync(image('wide.jpg'), join(path, 'owl', 'new.jpg'));
    await expectNew();
    renameSync(join(path, 'owl', 'new.jpg'), join(path, 'cat', 'new.jpg'));
    await expectNew();
    utimesSync(join(path, 'cat', 'new.jpg'), 1, 1);
    await expectNew();
    symlinkSync('/nowhere', join(path, 'cat', 'gone.jpg'));
    await expectNew();
  });

  it('of archives and tables change with their dates, and with class_names', async () => {
    const path = join(root, 'digest-files');
    mkdirSync(path);
    for (const name of ['a.parquet', 'b.parquet']) writeFileSync(join(path, name), name);
    const names = join(root, 'names.txt');
    writeFileSync(names, 'cat\nowl\n');
    for (const source of ['parquet', 'webdataset', 'cifar']) {
      const block = { source, classes: 2, train: { files: join(path, '*.parquet') } };
      const before = await digest(block);
      expect(await digest(block)).toBe(before);
      utimesSync(join(path, 'b.parquet'), new Date(), new Date(Date.now() + 5000 * Math.random()));
      expect(await digest(block)).not.toBe(before);
      const named = await digest({ ...block, class_names: names });
      writeFileSync(names, `cat\n${source}\n`);
      expect(await digest({ ...block, class_names: names })).not.toBe(named);
    }
    const cifar = { source: 'cifar', train: { files: [join(path, 'a.parquet')] } };
    const before = await digest(cifar);
    writeFileSync(join(path, 'batches.meta.txt'), 'cat\n');
    expect(await digest(cifar)).not.toBe(before);
  });

  it('that are missing are told', async () => {
    await expect(digest({ source: 'folder', train: { folder: join(root, 'none') } })).rejects.toThrow(
      /none: cannot be read/,
    );
    await expect(digest({ source: 'parquet', train: { files: join(root, 'none.parquet') } })).rejects.toThrow(
      /none\.parquet: cannot be read: no such file or folder/,
    );
  });

  it('are none for drawn images', async () => {
    expect(await digest({ source: 'synthetic' })).toBeNull();
  });
});
