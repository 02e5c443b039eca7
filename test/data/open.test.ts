import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '#wave/base/errors.js';
import { dataSchema } from '#wave/config/index.js';
import { openData, sampleSha256 } from '#wave/data/index.js';
import { patternSource, writeIdx } from './helpers.js';

let folder = '';
let files = { images: '', labels: '' };
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wave-open-'));
  const values = Uint8Array.from({ length: 12 * 16 }, (_, i) => i);
  files = {
    images: writeIdx(join(folder, 'images'), [12, 4, 4], values),
    labels: writeIdx(
      join(folder, 'labels'),
      [12],
      Uint8Array.from({ length: 12 }, (_, i) => i % 3),
    ),
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const synthetic = (block: object = {}) =>
  dataSchema.parse({ source: 'synthetic', synthetic: { image: 8, classes: 3, train: 30, test: 12 }, ...block });
const idx = (block: object = {}) => dataSchema.parse({ source: 'idx', classes: 3, train: files, ...block });

describe('openData', () => {
  it('draws the synthetic splits with their own sizes', async () => {
    const train = await openData(synthetic(), 'train', { seed: 0 });
    const test = await openData(synthetic(), 'test', { seed: 0 });
    expect([train.indices.length, test.indices.length]).toEqual([30, 12]);
    expect(train.source).toMatchObject({ height: 8, width: 8, classes: 3 });
  });

  it('mixes and repeats as the block says, and mixes nothing where no batch is to be mixed', async () => {
    const of = async (augment: object) => {
      const config = dataSchema.parse({ source: 'synthetic', augment });
      return (await openData(config, 'train', { seed: 0 })).augment;
    };
    const mix = { mixup: 0.8, cutmix: 1, prob: 0.7, switchProb: 0.4 };
    const settings = { mixup: 0.8, cutmix: 1, mixup_prob: 0.7, mixup_switch: 0.4, repeats: 3 };
    expect(await of(settings)).toMatchObject({ mix, repeats: 3 });
    expect((await of({ ...settings, mixup_prob: 0 })).mix).toBeNull();
    expect((await of({ ...settings, mixup: 0, cutmix: 0 })).mix).toBeNull();
    expect((await of({ cutmix: 0.5 })).mix).toEqual({ mixup: 0, cutmix: 0.5, prob: 1, switchProb: 0.5 });
  });

  it('opens IDX files with the normalisation and augmentation of the block', async () => {
    const block = { mean: [0.25], std: [0.5], augment: { pad_crop: 2, flip: true } };
    const dataset = await openData(idx(block), 'train', { seed: 0 });
    const off = { randomResizedCrop: null, randAugment: null, colorJitter: 0, erasing: null, mix: null, repeats: 1 };
    expect(dataset.augment).toEqual({ padCrop: 2, flip: true, interpolation: 'bicubic', ...off });
    expect([dataset.table[0], dataset.table[255]]).toEqual([-0.5, 1.5]);
    expect(dataset.indices).toHaveLength(12);
  });

  it('thins out the training split only', async () => {
    const block = { limit: 6 };
    expect((await openData(synthetic(block), 'train', { seed: 1 })).indices).toHaveLength(6);
    expect((await openData(synthetic(block), 'test', { seed: 1 })).indices).toHaveLength(12);
    expect((await openData(synthetic({ fraction: 0.1 }), 'train', { seed: 1 })).indices).toHaveLength(3);
  });

  it('repeats the channel only when asked, and only a single one', async () => {
    expect((await openData(synthetic(), 'test', { seed: 0 })).channels).toBe(1);
    const repeated = await openData(synthetic({ channels: 3, mean: [0.4, 0.5, 0.6] }), 'test', { seed: 0 });
    expect(repeated.channels).toBe(3);
    expect(repeated.table).toHaveLength(3 * 256);
    const two = { synthetic: { image: 8, classes: 3, channels: 2 }, channels: 3 };
    await expect(openData(synthetic(two), 'test', { seed: 0 })).rejects.toThrow(
      'data.channels: 3, but synthetic test images has 2; only a one-channel source can be repeated',
    );
  });

  it('refuses to resize images to sizes that nobody has', async () => {
    await expect(openData(synthetic({ resize: { crop_pct: 1e-4 } }), 'test', { seed: 0 })).rejects.toThrow(
      new ConfigError(
        'data.resize.crop_pct: 0.0001 resizes images to 80000x80000 pixels, at most 16384 a side; raise it',
      ),
    );
  });

  it('refuses pad and crop for images that are resized, in training', async () => {
    const line = (how: string) =>
      `data.augment.pad_crop: takes images in their own size, those of ${files.images} are ${how}; set it to 0`;
    const block = { image: 8, augment: { pad_crop: 1 } };
    await expect(openData(idx(block), 'train', { seed: 0 })).rejects.toThrow(line('resized to 8x8'));
    const cropped = { augment: { pad_crop: 1, random_resized_crop: {} } };
    await expect(openData(idx(cropped), 'train', { seed: 0 })).rejects.toThrow(line('cropped at random to 4x4'));
    await expect(openData({ ...idx(block), test: idx().train }, 'test', { seed: 0 })).resolves.toBeDefined();
  });

  it('names the block that is missing for a split', async () => {
    await expect(openData(idx(), 'test', { seed: 0 })).rejects.toThrow(
      'data.test: the test split is needed; give data.test.images and data.test.labels',
    );
    await expect(openData(idx(), 'test', { seed: 0 })).rejects.toBeInstanceOf(ConfigError);
  });

  it('checks the labels against the classes of the block', async () => {
    await expect(openData(idx({ classes: 2 }), 'train', { seed: 0 })).rejects.toBeInstanceOf(DataError);
  });
});

describe('sha256 of a data set', () => {
  it('is stable, and does not depend on the transforms', async () => {
    const plain = await openData(idx(), 'train', { seed: 0 });
    const other = await openData(idx({ mean: [0], augment: { flip: true } }), 'train', { seed: 9 });
    expect(plain.sha256()).toMatch(/^[0-9a-f]{64}$/);
    expect(other.sha256()).toBe(plain.sha256());
    expect(plain.sha256()).toBe(plain.sha256());
  });

  it('changes with the samples in use, a pixel, or a label', () => {
    const all = Uint32Array.from({ length: 10 }, (_, i) => i);
    const base = patternSource(10);
    const pixel = patternSource(10);
    pixel.pixels[100] ^= 1;
    const label = patternSource(10);
    label.labels[4] = 2;
    const digests = [
      sampleSha256(base, all),
      sampleSha256(base, all.subarray(0, 9)),
      sampleSha256(base, Uint32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 9)),
      sampleSha256(pixel, all),
      sampleSha256(label, all),
    ];
    expect(new Set(digests).size).toBe(5);
  });

  it('covers only the pixels of the samples in use', () => {
    const some = Uint32Array.of(1, 2, 5);
    const changed = patternSource(10);
    changed.pixels[3 * 24] ^= 1;
    expect(sampleSha256(changed, some)).toBe(sampleSha256(patternSource(10), some));
  });
});
