/** What stands in for an image that cannot be read: of its batch, or of the whole set; the same for any threads. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { DataError } from '#wave/base/errors.js';
import { dataSchema } from '#wave/config/index.js';
import { type Dataset, Loader, type LoaderOptions, openData, type UnreadableImage } from '#wave/data/index.js';
import { bytesOf, collect } from './helpers.js';
import { temporaryFolder } from './source-support.js';

const base = temporaryFolder();
const image = (name: string) => fileURLToPath(new URL(`fixtures/pictures/${name}`, import.meta.url));
let folders = 0;

/** A set of two classes, of which the images are good that `isGood` says, by their index in the source. */
async function dataset(count: number, isGood: (i: number) => boolean, more: object = {}): Promise<Dataset> {
  const path = join(base, `${folders++}`);
  for (let i = 0; i < count; i++) {
    const label = i < count / 2 ? 'cat' : 'owl';
    mkdirSync(join(path, label), { recursive: true });
    const name = `${String(i).padStart(4, '0')}.jpg`;
    copyFileSync(image(isGood(i) ? 'wide.jpg' : 'broken-truncated.jpg'), join(path, label, name));
  }
  const block = { source: 'folder', train: { folder: path }, image: 16, on_broken: 'skip', ...more };
  return openData(dataSchema.parse(block), 'train', { seed: 0 });
}

const open: Loader[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});
function loader(data: Dataset, options: Partial<LoaderOptions> = {}): Loader {
  const made = new Loader({ dataset: data, mode: 'train', batch: 1, patch: 8, seed: 1, workers: 0, ...options });
  open.push(made);
  return made;
}

describe('an image that cannot be read', () => {
  const isGood = (i: number) => i % 3 !== 0;

  it.each([
    ['of a batch of one', { batch: 1 }, {}],
    ['whose batch is its own repetitions', { batch: 3 }, { augment: { repeats: 3 } }],
    ['of a larger batch', { batch: 4 }, {}],
  ])('has a substitute with its own label: %s', async (_, options, more) => {
    const data = await dataset(12, isGood, more);
    const told: UnreadableImage[] = [];
    const batches = await collect(loader(data, { ...options, onBroken: (one) => told.push(one) }), 0);
    expect(batches.length * options.batch).toBe(12);
    for (const { indices, labels, patches } of batches) {
      for (const index of indices) expect(isGood(index)).toBe(true);
      expect([...labels]).toEqual([...indices].map((index) => data.source.labels[index]));
      expect(patches.some((value) => value !== 0)).toBe(true);
    }
    const broken = told.map(({ index }) => index);
    expect(new Set(broken).size).toBe(broken.length);
    for (const index of broken) expect(isGood(index)).toBe(false);
    if (!('augment' in more)) expect(broken.sort((a, b) => a - b)).toEqual([0, 3, 6, 9]);
  });

  it('has the same for any number of threads, and another in another epoch', async () => {
    const data = await dataset(40, (i) => i % 2 === 0);
    const expected = await collect(loader(data), 0);
    for (const workers of [1, 3]) {
      expect(bytesOf(await collect(loader(data, { workers }), 0))).toBe(bytesOf(expected));
      expect(bytesOf(await collect(loader(data, { workers }), 0, 17))).toBe(bytesOf(expected.slice(17)));
    }
    const later = await collect(loader(data), 1);
    const shown = (batches: typeof later) => batches.map(({ indices }) => indices[0]).sort((a, b) => a - b);
    expect(shown(later)).not.toEqual(shown(expected));
  });

  it('has one of the images in use only', async () => {
    const whole = await dataset(40, (i) => i % 4 < 2);
    const indices = Uint32Array.of(0, 1, 2, 22, 23, 30, 35);
    const batches = await collect(loader({ ...whole, indices }), 0);
    expect(batches).toHaveLength(7);
    for (const batch of batches) expect([0, 1]).toContain(batch.indices[0]);
  });

  it('ends the run when none of many can be read in its place, with its name and what to do', async () => {
    const none = await dataset(150, () => false);
    await expect(collect(loader(none), 0)).rejects.toThrow(
      /^\S+\/(cat|owl)\/\d+\.jpg: cannot be decoded as an image: the JPEG file ends early; nor can any of (99|100) other images be read that were tried in its place; repair the images of data\.train, or remove those that are broken$/,
    );
    const few = await dataset(6, () => false);
    await expect(collect(loader(few, { batch: 2 }), 0)).rejects.toThrow(/nor can any of 5 other images be read/);
    await expect(collect(loader(few, { batch: 2 }), 0)).rejects.toBeInstanceOf(DataError);
  });
});
