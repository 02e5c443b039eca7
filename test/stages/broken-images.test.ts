/** Trainings on images that cannot be read: what is told and counted, and what a failed run leaves. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BrokenImages, BrokenImagesOfRun } from '#wave/stages/broken-images.js';
import { finetune, finetuneSchema } from '#wave/stages/finetune.js';
import { pretrain } from '#wave/stages/pretrain.js';
import { datasetOf, patternSource } from '../data/helpers.js';
import { folderData as data, folderIn, image, warnings } from './folder-support.js';
import { context, pico } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-broken-images-'));
afterAll(() => rmSync(root, { recursive: true }));
const folder = folderIn(root);

describe('a training whose batches are single images, in parts', () => {
  it('goes on when images cannot be read', async () => {
    const path = folder('single', ['cat', 'owl'], 8, {
      'cat/x.jpg': 'broken-text.jpg',
      'owl/y.jpg': 'broken-empty.jpg',
    });
    const train = { epochs: 2, batch: 1, accumulate: 6 };
    const config = pico({ data: data(path, path), train, eval: { batch: 8 } });
    const place = { dir: join(root, 'runs', 'single'), force: false };
    expect(await pretrain(config, place, context())).toMatchObject({ steps: 6, brokenImages: 4 });
  });
});

describe('a training that fails before its first step', () => {
  const strict = { on_broken: 'fail' };
  const fresh = (name: string) => ({ dir: join(root, 'runs', name), force: false });
  const fixed = (path: string, name: string) => copyFileSync(image('small.png'), join(path, name));

  it('leaves nothing, so that the same command runs once the data is repaired', async () => {
    const path = folder('repaired', ['cat', 'owl'], 3, { 'cat/x.jpg': 'broken-text.jpg' });
    // All of them are in the first batch.
    const config = pico({ data: data(path, path, strict), train: { epochs: 1, batch: 7 }, eval: { batch: 8 } });
    await expect(pretrain(config, fresh('repaired'), context())).rejects.toThrow(
      /x\.jpg: cannot be decoded as an image/,
    );
    expect(existsSync(fresh('repaired').dir)).toBe(false);
    fixed(path, 'cat/x.jpg');
    const { model } = await pretrain(config, fresh('repaired'), context());
    expect(existsSync(model)).toBe(true);

    const test = folder('repaired-test', ['cat', 'owl'], 3, { 'owl/x.jpg': 'broken-text.jpg' });
    const tuning = finetuneSchema.parse({
      data: data(path, test, strict),
      train: { epochs: 1, batch: 7 },
      eval: { batch: 8, start: true },
      engine: { threads: 1 },
    });
    const { dir } = fresh('tuned');
    mkdirSync(dir);
    writeFileSync(join(dir, 'notes.txt'), 'kept');
    await expect(finetune(tuning, { model }, fresh('tuned'), context())).rejects.toThrow(
      /owl\/x\.jpg: cannot be decoded/,
    );
    expect(readdirSync(dir)).toEqual(['notes.txt']);
    fixed(test, 'owl/x.jpg');
    await finetune(tuning, { model }, fresh('tuned'), context());
  });

  it('keeps what was done when a later step fails', async () => {
    const path = folder('late', ['cat', 'owl'], 3, { 'cat/x.jpg': 'broken-text.jpg' });
    const steps: number[] = [];
    const told = context((event) => event.type === 'step' && steps.push(event.step));
    const train = { epochs: 1, batch: 1, log_every: 1 };
    const config = { ...pico({ data: data(path, path, strict), train, eval: { batch: 8 } }), seed: 2 };
    await expect(pretrain(config, fresh('late'), told)).rejects.toThrow(/x\.jpg: cannot be decoded as an image/);
    expect(steps.length).toBeGreaterThan(0);
    expect(readdirSync(fresh('late').dir).sort()).toEqual(['config.resolved.yaml', 'metrics.jsonl']);
  });
});

describe('a training that is interrupted', () => {
  const bad = (split: string, count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`${i % 2 ? 'cat' : 'owl'}/${split}${i}.jpg`, 'broken-text.jpg']),
    );

  it.each([
    ['in its first epoch', 5],
    ['in its second epoch', 14],
    ['while it is evaluated for the first time', undefined],
    ['and again', 3, 7],
  ])('%s tells each image that cannot be read once, and counts all', async (_, ...stops) => {
    const name = `interrupted-${stops.join('-')}`;
    const train = folder(`${name}-train`, ['cat', 'owl'], 7, bad('a', 6));
    const test = folder(`${name}-test`, ['cat', 'owl'], 2, bad('b', 3));
    const config = pico({ data: data(train, test), train: { epochs: 2, batch: 2, log_every: 1 }, eval: { batch: 4 } });
    const told: string[] = [];
    for (const at of stops) {
      const stopping = context((event, stop) => {
        if (at === undefined ? event.type === 'evaluating' : event.type === 'step' && event.step === at) stop();
      });
      const place = { dir: join(root, 'runs', name), force: false, resume: told.length > 0 };
      await expect(pretrain(config, place, stopping)).rejects.toThrow(/--resume/);
      told.push(...warnings(stopping));
      expect(told.length).toBeGreaterThan(0);
    }
    const last = context();
    const resumed = { dir: join(root, 'runs', name), force: false, resume: true };
    const { brokenImages } = await pretrain(config, resumed, last);
    told.push(...warnings(last));
    expect(new Set(told).size).toBe(told.length);
    expect([told.length, brokenImages]).toEqual([9, 9]);
    // Of a finished run, too.
    const again = context();
    expect((await pretrain(config, resumed, again)).brokenImages).toBe(9);
    expect(warnings(again)).toEqual([]);
  });
});

describe('BrokenImages', () => {
  it('tells ten, then that it only counts, and counts all', () => {
    const told = context();
    const broken = new BrokenImages(told);
    for (let i = 0; i < 30; i++) broken.add({ name: `${i}.jpg`, reason: 'the file is empty' });
    expect(warnings(told)).toHaveLength(11);
    expect(warnings(told)[9]).toBe('9.jpg: the file is empty; left out');
    expect(warnings(told)[10]).toMatch(/^more images that cannot be read are left out/);
    expect(broken.result()).toEqual({ brokenImages: 30 });
    expect(new BrokenImages(told).result()).toEqual({});
  });
});

describe('BrokenImagesOfRun', () => {
  const one = (index: number) => ({ name: `${index}.jpg`, index, reason: 'the file is empty' });
  const leftOut = [{ name: 'row 3', reason: 'has no class' }];
  const datasets = [datasetOf({ ...patternSource(4), leftOut })];

  it('tells nothing before it begins, then all once, by split', () => {
    const told = context();
    const broken = new BrokenImagesOfRun(told, datasets);
    for (const index of [1, 2, 1]) broken.add('train', one(index));
    expect(warnings(told)).toEqual([]);
    broken.begin();
    broken.add('train', one(2));
    broken.add('test', one(2));
    const names = warnings(told).map((text) => text.split(':')[0]);
    expect(names).toEqual(['row 3', '1.jpg', '2.jpg', '2.jpg']);
    expect(broken.saved()).toEqual({ train: [1, 2], test: [2] });
    expect(broken.result()).toEqual({ brokenImages: 4 });
  });

  it('goes on where it was interrupted, in its count and in what it tells', () => {
    const told = context();
    const broken = new BrokenImagesOfRun(told, datasets);
    broken.add('train', one(1));
    broken.restore({ train: [0, 1, 2, 3, 4], test: [0, 1] });
    broken.begin();
    for (let index = 0; index < 20; index++) broken.add('train', one(index));
    // Eight had been told.
    expect(warnings(told).map((text) => text.split(':')[0])).toEqual([
      '5.jpg',
      '6.jpg',
      expect.stringMatching(/^more images/),
    ]);
    expect(broken.count).toBe(23);
  });
});
