/** What the ancestor says: the same remembered and live, and whether it says anything at all. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError } from '#wave/base/errors.js';
import { dataSchema } from '#wave/config/index.js';
import { type Batch, type Dataset, Loader, openData } from '#wave/data/index.js';
import { resolveModel } from '#wave/model/config.js';
import { initialise } from '#wave/model/initialise.js';
import { checkAboveChance } from '#wave/stages/ancestor.js';
import { AncestorLogits, decisions, pays } from '#wave/stages/ancestor-logits.js';
import { testEngine } from '../support/engine.js';
import { context, pico } from './support.js';

const BATCH = 24;
const engine = testEngine();
afterAll(() => engine.dispose());

let dataset: Dataset;
/** Two epochs of shuffled batches; 130 images do not fill the last batch of an epoch. */
const batches: Batch[] = [];
const spec = resolveModel(pico().model, {
  image: [16, 16],
  channels: 1,
  classes: 4,
  preprocess: { mean: [0.5], std: [0.5] },
});
const reading = { headsFrom: '', epsFrom: '', joined: 0, ignored: [], filled: [], notes: [] };
const ancestor = { spec, values: initialise(spec, 0), sha256: '', format: 'wave' as const, reading };
const open = (changes: object = {}) =>
  openData(
    dataSchema.parse({ source: 'synthetic', synthetic: { image: 16, classes: 4, train: 150, test: 8 }, ...changes }),
    'train',
    { seed: 0 },
  );

beforeAll(async () => {
  dataset = await open({ fraction: 0.9 });
  const loader = new Loader({ dataset, mode: 'train', batch: BATCH, patch: 4, seed: 0, workers: 0 });
  for (const epoch of [0, 1]) for await (const batch of loader.epoch(epoch)) batches.push(batch);
});

const evalLoader = () => new Loader({ dataset, mode: 'eval', batch: BATCH, patch: 4, seed: 0, workers: 0 });

describe('remembered logits', () => {
  it('are the live ones, exactly, whatever batch an image comes in', async () => {
    const live = await AncestorLogits.compile(engine, ancestor, BATCH);
    const remembering = await AncestorLogits.compile(engine, ancestor, BATCH);
    await remembering.remember(evalLoader(), dataset, 0, context());
    expect(batches.length).toBeGreaterThan(8);
    for (const batch of batches) expect(await remembering.of(batch)).toEqual(await live.of(batch));
  });

  it('leave the batch usable, as live ones do', async () => {
    const logits = await AncestorLogits.compile(engine, ancestor, BATCH);
    const [batch] = batches as [Batch];
    await logits.of(batch);
    expect(batch.patches.length).toBe(16 * BATCH * 16);
  });

  it('are each asked for once', async () => {
    let runs = 0;
    const step = {
      run: async () => {
        runs++;
        return new Map([['logits', new Float32Array(BATCH * 4)]]);
      },
      dispose: async () => {},
    };
    const logits = new AncestorLogits(step, 4);
    await logits.remember(evalLoader(), dataset, 0, context());
    const asked = runs;
    for (const batch of batches) await logits.of(batch);
    expect([asked, runs]).toEqual([evalLoader().batchesPerEpoch, asked]);
  });

  it('can be interrupted', async () => {
    const logits = await AncestorLogits.compile(engine, ancestor, BATCH);
    const stopping = context((event, stop) => event.type === 'evaluating' && stop());
    await expect(logits.remember(evalLoader(), dataset, 0, stopping)).rejects.toThrow(InterruptedError);
  });
});

describe('remembering', () => {
  it('pays where images never change and each is seen', async () => {
    expect(pays(await open(), 150)).toBe('yes');
  });

  it('pays for samples that are repeated', async () => {
    expect(pays(await open({ augment: { repeats: 3 } }), 150)).toBe('yes');
  });

  it.each([
    ['images that are cropped', { augment: { pad_crop: 1 } }, 1000, 'no'],
    ['images that are flipped', { augment: { flip: true } }, 1000, 'no'],
    ['pieces of images', { augment: { random_resized_crop: {} } }, 1000, 'no'],
    ['images that are mixed', { augment: { mixup: 0.8 } }, 1000, 'no'],
    ['images with boxes of others', { augment: { cutmix: 1 } }, 1000, 'no'],
    ['a run that does not come to each image', {}, 149, 'no'],
  ])('does not pay for %s', async (_name, changes, images, verdict) => {
    expect(pays(await open(changes), images)).toBe(verdict);
  });

  it('ends where the logits of all images would take too much memory', async () => {
    const small = await open();
    const large = { ...small, source: { ...small.source, classes: 10_000_000 } };
    expect(pays(large, 150)).toBe('too large');
  });
});

it('a decision is one-hot at the first of the highest logits', () => {
  const logits = Float32Array.of(1, 3, 3, -1, -2, -1, 0, 0, 0);
  expect([...decisions(logits, 3)]).toEqual([0, 1, 0, 1, 0, 0, 1, 0, 0]);
});

describe('an ancestor', () => {
  it.each([
    [0.1, 1000, 10],
    [0.128, 1000, 10],
    [0, 1000, 10],
    [0.3, 32, 4],
  ])('that is right on %d of %d images in %d classes may be guessing', (top1, images, classes) => {
    expect(() => checkAboveChance('a', { top1, images, classes })).toThrow(ConfigError);
  });

  it.each([
    [0.13, 1000, 10],
    [0.01, 992, 1000],
    [0.5, 32, 4],
  ])('that is right on %d of %d images in %d classes is not', (top1, images, classes) => {
    expect(() => checkAboveChance('a', { top1, images, classes })).not.toThrow();
  });

  it('that may be guessing is told with the usual causes', () => {
    expect(() => checkAboveChance('a.safetensors', { top1: 0.1, images: 960, classes: 10 })).toThrow(
      'a.safetensors: the ancestor is right on 10.0 % of the first 960 training images, no better than chance (10.0 %); ' +
        'check data.mean and data.std, the order of its classes against the labels, and that it was trained for these classes',
    );
  });
});
