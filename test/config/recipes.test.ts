/** What a recipe fills in, and what wins over it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, RECIPES } from '#wave/config/index.js';
import { distillSchema } from '#wave/stages/distill.js';
import { evaluateSchema } from '#wave/stages/evaluate.js';
import { finetuneSchema } from '#wave/stages/finetune.js';
import { fitSchema } from '#wave/stages/fit.js';
import { pretrainSchema } from '#wave/stages/pretrain.js';

const SOURCE = 'data: {source: synthetic, synthetic: {channels: 3}}\n';
const load = (text: string, ...sets: string[]) =>
  loadConfig({ schema: pretrainSchema, file: 'my.yaml', text: SOURCE + text, sets });

/** Paths of all single values in a recipe. */
function leaves(value: unknown, path: readonly string[] = []): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path.join('.'), value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}
const lookUp = (config: unknown, path: string) =>
  path.split('.').reduce((value, key) => (value as Record<string, unknown>)[key], config);

/** For every setting of the recipe another value. */
const OTHERS: Readonly<Record<string, unknown>> = {
  'data.image': 96,
  'data.mean': [0.5],
  'data.std': [0.25],
  'data.resize.mode': 'squash',
  'data.resize.crop_pct': 1,
  'data.resize.interpolation': 'bilinear',
  'data.augment.random_resized_crop.scale': [0.5, 1],
  'data.augment.random_resized_crop.ratio': [1, 1],
  'data.augment.flip': false,
  'data.augment.rand_augment': null,
  'data.augment.color_jitter': 0,
  'data.augment.erasing': 0,
  'data.augment.erasing_mode': 'const',
  'data.augment.mixup': 0,
  'data.augment.cutmix': 0,
  'data.augment.mixup_prob': 0.5,
  'data.augment.mixup_switch': 0,
  'data.augment.repeats': 1,
  'train.epochs': 2,
  'train.lr': 1e-3,
  'train.lr_base_batch': null,
  'train.min_lr': 0,
  'train.warmup_epochs': 0,
  'train.warmup_lr': null,
  'train.weight_decay': 0,
  'train.betas': [0.9, 0.95],
  'train.eps': 1e-6,
  'train.clip': 1,
  'train.label_smoothing': 0,
  'train.drop_path': 0,
};

describe('recipe deit', () => {
  const recipe = leaves(RECIPES.deit);

  it('is what table 9 of the paper has', () => {
    expect(RECIPES.deit).toMatchObject({
      data: {
        image: 224,
        augment: {
          rand_augment: 'rand-m9-mstd0.5-inc1',
          color_jitter: 0.3,
          erasing: 0.25,
          erasing_mode: 'pixel',
          flip: true,
          mixup: 0.8,
          cutmix: 1,
          mixup_prob: 1,
          mixup_switch: 0.5,
          repeats: 3,
        },
      },
      train: { epochs: 300, lr: 5e-4, lr_base_batch: 512, min_lr: 1e-5, warmup_epochs: 5, warmup_lr: 1e-6, eps: 1e-8 },
    });
    expect(RECIPES.deit.train).toMatchObject({ weight_decay: 0.05, clip: null, label_smoothing: 0.1, drop_path: 0.1 });
    expect(load('recipe: deit\n').train).toMatchObject({ ema: null, batch: 128, accumulate: 1 });
  });

  it.each(recipe)('lets another value of %s win', (path, value) => {
    const other = OTHERS[path];
    expect(other).not.toEqual(value);
    expect(lookUp(load('recipe: deit\n', `${path}=${JSON.stringify(other)}`), path)).toEqual(other);
  });

  it('is written out in docs/recipes.md', () => {
    const text = readFileSync(new URL('../../docs/recipes.md', import.meta.url), 'utf8');
    const [, block] = /^## `deit`\n+```yaml\n([\s\S]*?)```/m.exec(text) ?? [];
    expect(parse(block ?? '')).toEqual(RECIPES.deit);
  });

  it('has no setting but those tried here', () => {
    expect(recipe.map(([path]) => path)).toEqual(Object.keys(OTHERS));
  });
});

describe.each(Object.entries(RECIPES))('recipe %s', (name, recipe) => {
  it('gives all of its settings, under a file that says nothing', () => {
    const config = load(`recipe: ${name}\n`);
    for (const [path, value] of leaves(recipe)) expect([path, lookUp(config, path)]).toEqual([path, value]);
    expect(config.recipe).toBe(name);
  });

  it('has settings that other stages than pretrain know as well', () => {
    for (const schema of [finetuneSchema, evaluateSchema]) {
      const config = loadConfig({ schema, text: `${SOURCE}recipe: ${name}\n` });
      for (const [path, value] of leaves(recipe)) expect([path, lookUp(config, path)]).toEqual([path, value]);
    }
  });

  it('gives the same when its resolved settings are loaded again', () => {
    const config = load(`recipe: ${name}\ntrain: {steps: 7}\n`, 'data.augment.random_resized_crop=null');
    expect(loadConfig({ schema: pretrainSchema, text: JSON.stringify(config) })).toEqual(config);
  });
});

describe('a recipe', () => {
  it('lies under the file, whose mappings it fills up, and under --set', () => {
    const { data, train } = load(
      'recipe: deit\ntrain: {batch: 64, weight_decay: 0.1, betas: [0.8, 0.9]}\n',
      'train.drop_path=0',
      'data.augment={flip: false}',
    );
    expect(train).toMatchObject({
      batch: 64,
      weight_decay: 0.1,
      betas: [0.8, 0.9],
      drop_path: 0,
      label_smoothing: 0.1,
    });
    expect(data.augment).toMatchObject({ flip: false, mixup: 0.8 });
  });

  it('may be named by --set, by a file below, or be taken back', () => {
    expect(load('', 'recipe=deit', 'train.epochs=1').train.lr_base_batch).toBe(512);
    const plain = load('recipe: deit\ntrain: {epochs: 1}\n', 'recipe=null');
    expect(plain).toEqual(load('train: {epochs: 1}\n'));
  });

  it('has what belongs to it switched off by null', () => {
    const { data } = load('recipe: deit\n', 'data.augment.random_resized_crop=null', 'train.lr_base_batch=null');
    expect(data.augment.random_resized_crop).toBeNull();
  });

  it('gives its epochs up for the steps of the file, and keeps them otherwise', () => {
    expect(load('recipe: deit\ntrain: {steps: 10}\n').train).toMatchObject({ steps: 10, epochs: null });
    expect(load('recipe: deit\ntrain: {steps: null}\n').train).toMatchObject({ steps: null, epochs: 300 });
    expect(() => load('recipe: deit\ntrain: {steps: 10, epochs: 2}\n')).toThrow(/found both$/);
  });

  it.each([
    ['recipe: diet\n', 'my.yaml:2:9: recipe: expected deit or null, found "diet", did you mean `deit`?'],
    [
      'recipe: deit\ntrain: {lr: 1.0e-6}\n',
      'my.yaml:2:9 (recipe deit): train.min_lr: must not exceed lr (0.000001 x 128/512 = 2.5e-7), found 0.00001',
    ],
    ['recipe: deit\ntrain: {lrr: 1}\n', 'my.yaml:3:9: train.lrr: unknown key, did you mean `lr`?'],
  ])('has problems told where they are: %j', (text, message) => {
    expect(() => load(text)).toThrow(message);
  });

  it('tells a block that is missing by the recipe that needs it', () => {
    expect(() => loadConfig({ schema: pretrainSchema, file: 'my.yaml', text: 'recipe: deit\n' })).toThrow(
      'my.yaml:1:9 (recipe deit): data.source: required, but missing; expected one of',
    );
  });

  it.each([
    ['distill', distillSchema],
    ['fit', fitSchema],
  ])('is an unknown key in %s, which fills nothing in', (_name, schema) => {
    const text = `${SOURCE}recipe: deit\ntrain: {steps: 1}\n`;
    expect(() => loadConfig({ schema, file: 'my.yaml', text })).toThrow(/^my\.yaml:2:1: recipe: unknown key/);
  });
});

describe('of settings of which only one may be given', () => {
  const FILE = 'train: {epochs: 5}\n';

  it('that of --set takes the place of that of a file, both ways', () => {
    expect(load(FILE, 'train.steps=20').train).toMatchObject({ steps: 20, epochs: null });
    expect(load(FILE, 'train={steps: 20}').train).toMatchObject({ steps: 20, epochs: null });
    expect(load('train: {steps: 20}\n', 'train.epochs=5').train).toMatchObject({ steps: null, epochs: 5 });
    const limited = load(`${FILE}x-none: 0\n`, 'data.limit=10', 'data.fraction=null');
    expect(limited.data).toMatchObject({ limit: 10, fraction: null });
  });

  it('null gives nothing, and takes nothing away', () => {
    expect(load(FILE, 'train.steps=null').train).toMatchObject({ steps: null, epochs: 5 });
  });

  it('two in one place are refused', () => {
    expect(() => load('train: {epochs: 5, steps: 20}\n')).toThrow(/found both$/);
    expect(() => load('', 'train.steps=20', 'train.epochs=5')).toThrow(/found both$/);
    expect(() => load('train: {epochs: 5, steps: 20}\n', 'train.lr=0.1')).toThrow(/found both$/);
  });
});
