import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { dataSchema, loadConfig, nonStrictPaths } from '#wave/config/index.js';

const schema = z.strictObject({ data: dataSchema });
const load = (...sets: string[]) => loadConfig({ schema, sets: sets.map((set) => `data.${set}`) }).data;

const FILES = '{images: i, labels: l}';

describe('dataSchema', () => {
  it('is strict at every level', () => {
    expect(nonStrictPaths(dataSchema)).toEqual([]);
  });

  it('fills in every key', () => {
    expect(load('source=synthetic')).toEqual({
      source: 'synthetic',
      train: null,
      test: null,
      image: null,
      resize: { mode: 'shortest', crop_pct: 0.875, interpolation: 'bicubic' },
      class_names: null,
      check_names: true,
      on_broken: 'fail',
      classes: null,
      channels: null,
      mean: [0.5],
      std: [0.5],
      augment: {
        pad_crop: 0,
        flip: false,
        random_resized_crop: null,
        interpolation: null,
        rand_augment: null,
        color_jitter: 0,
        erasing: 0,
        erasing_mode: 'pixel',
        mixup: 0,
        cutmix: 0,
        mixup_prob: 1,
        mixup_switch: 0.5,
        repeats: 1,
      },
      limit: null,
      fraction: null,
      workers: 1,
      shuffle_window: 16,
      cifar: { labels: 'fine' },
      webdataset: { image: null, label: 'cls' },
      parquet: { image: null, label: null },
      synthetic: { image: 28, channels: 1, classes: 10, train: 2000, test: 500, seed: 0 },
    });
  });

  it('takes IDX files of one split or both', () => {
    expect(load('source=idx', 'classes=10', `test=${FILES}`).test).toEqual({
      images: 'i',
      labels: 'l',
      folder: null,
      files: null,
    });
  });

  it('leaves the keys of other sources alone, so that a source is chosen by --set', () => {
    const file = ['source=folder', 'train={folder: f}', 'test={folder: g}', 'classes=2'];
    const other = ['source=webdataset', 'train.files=a.tar', 'test.files=b.tar'];
    expect(load(...file, ...other).train).toEqual({ images: null, labels: null, folder: 'f', files: 'a.tar' });
    expect(() => load(...file, 'source=webdataset', 'train.files=a.tar')).toThrow(
      /data\.test: source webdataset needs test\.files$/,
    );
  });

  it('takes one file or a list', () => {
    expect(load('source=cifar', 'train={files: a.bin}').train?.files).toBe('a.bin');
    expect(load('source=cifar', 'train={files: [a.bin, "b-{0..3}"]}').train?.files).toEqual(['a.bin', 'b-{0..3}']);
  });

  it.each([
    [['source=idx', 'classes=10'], /data\.source: source idx needs train: or test:$/],
    [['source=idx', `train=${FILES}`], /data\.classes: source idx needs the number of classes$/],
    [['source=idx', 'classes=10', 'train={images: i}'], /data\.train: source idx needs train\.labels$/],
    [['source=webdataset', 'classes=2', 'train={folder: f}'], /data\.train: source webdataset needs train\.files$/],
    [
      ['source=synthetic', 'limit=5', 'fraction=0.5'],
      /give limit or fraction, not both; found limit 5 and fraction 0\.5$/,
    ],
    [['source=synthetic', 'fraction=0'], /expected a number above 0 and of at most 1 or null, found 0$/],
    [['source=synthetic', 'fraction=1.5'], /fraction: expected a number above 0 and of at most 1 or null, found 1\.5$/],
    [['source=synthetic', 'std=[0]'], /data\.std\.0: expected a positive number, found 0$/],
    [['source=synthetic', 'mean=[1, 2]', 'std=[1, 2, 3]'], /data\.std: mean has 2 values and std 3/],
    [['source=synthetic', 'classes=3'], /must equal synthetic\.classes \(10\) or be left out, found 3$/],
    [['source=synthetic', 'augment.mixup=-1'], /data\.augment\.mixup: expected a number of at least 0, found -1$/],
    [['source=synthetic', 'augment.mixup_prob=2'], /mixup_prob: expected a number from 0 to 1, found 2$/],
    [
      ['source=synthetic', 'augment.rand_augment=rand-m9-w0'],
      /rand_augment: "rand-m9-w0": section "w0" is none of m, n, p, /,
    ],
    [
      ['source=synthetic', 'augment.rand_augment=rand-m9', 'augment.interpolation=lanczos'],
      /rand_augment cannot turn images with lanczos; set augment\.interpolation to bicubic$/,
    ],
    [['source=synthetic', 'augment.color_jitter=-1'], /color_jitter: expected a number from 0 to 10, found -1$/],
    [['source=synthetic', 'augment.erasing=2'], /erasing: expected a number from 0 to 1, found 2$/],
    [
      ['source=synthetic', 'augment.erasing_mode=black'],
      /erasing_mode: expected one of pixel, const, rand, found "black"$/,
    ],
    [['source=synthetic', 'augment.repeats=0'], /repeats: expected a whole number from 1 to 16, found 0$/],
    [
      ['source=imagefolder'],
      /data\.source: expected one of idx, synthetic, folder, cifar, webdataset, parquet, found "imagefolder"$/,
    ],
    [['source=synthetic', 'augment.padcrop=2'], /unknown key, did you mean `pad_crop`\?$/],
  ])('refuses %j', (sets, message) => {
    expect(() => load(...sets)).toThrow(message);
  });
});
