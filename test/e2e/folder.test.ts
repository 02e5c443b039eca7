/** From a folder of JPEGs to a trained model, with the configurations of configs/folder, in a small size; one JPEG is broken. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type DataListing,
  type DataStatistics,
  type EvaluateResult,
  type FinetuneResult,
  loadModel,
  type PredictResult,
  type PretrainResult,
  syntheticSource,
} from '#wave/index.js';
import { inMemory } from '../data/helpers.js';
import { type Ended, onlyDocument, Place } from './support.js';

const place = new Place();
afterAll(() => place.remove());

const config = (name: string) => fileURLToPath(new URL(`../../configs/folder/${name}.yaml`, import.meta.url));
/** In the order of the drawn classes, which is not that of the folders. */
const NAMES = ['pear', 'apple', 'quince', 'cherry'];
const SORTED = [...NAMES].sort();
const COUNTS = { train: 384, test: 96 };
const SIDE = 32;
const CHANNELS = 3;
const BROKEN = 'images/train/apple/broken.jpg';

/** A model of 16 pixels in place of the sizes of the file. The direction of its stripes tells a class: no mirroring. */
const SMALL = [
  ...['data.image=16', 'model.patch=4', 'model.depth=2', 'model.width=32', 'model.heads=2'],
  'data.augment.flip=false',
  ...['train.epochs=12', 'train.lr=3.0e-3', 'train.warmup_epochs=1', 'engine.threads=1'],
].flatMap((set) => ['--set', set]);

/** Drawn images as JPEGs, a folder for each class, 40 pixels wide and 32 high. */
async function writeImages(split: 'train' | 'test'): Promise<void> {
  const count = COUNTS[split];
  const source = inMemory(
    syntheticSource({ image: SIDE, channels: CHANNELS, classes: NAMES.length, count, seed: 3, split }),
  );
  for (const name of NAMES) mkdirSync(place.at('images', split, name), { recursive: true });
  const planes = new Uint8Array(CHANNELS * SIDE * SIDE);
  for (let i = 0; i < count; i++) {
    source.read(i, planes);
    const pixels = Uint8Array.from(
      planes,
      (_, at) => planes[(at % CHANNELS) * SIDE * SIDE + Math.floor(at / CHANNELS)],
    );
    await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: CHANNELS } })
      .extend({ left: 4, right: 4, background: '#282828' })
      .jpeg({ quality: 95 })
      .toFile(place.at('images', split, NAMES[source.labels[i]], `${i}.jpg`));
  }
}

let ended: Ended;
let trained: PretrainResult;
beforeAll(async () => {
  await writeImages('train');
  await writeImages('test');
  // It begins like an image and ends early.
  const whole = readFileSync(place.at('images/train/apple/1.jpg'));
  writeFileSync(place.at(BROKEN), whole.subarray(0, 200));
  ended = await place.wave(['pretrain', '--config', config('pretrain'), '--out', 'run', ...SMALL, '--json']);
  trained = (onlyDocument(ended.stdout) as { result: PretrainResult }).result;
});

describe('wave data', () => {
  it('lists the folders and their images', async () => {
    const listing = await place.result<DataListing>(['data', 'ls', '--config', config('pretrain')]);
    const [apple, ...others] = listing.classes;
    expect(apple).toEqual({ index: 0, name: 'apple', train: 97, test: 24 });
    expect(others.map(({ name, train, test }) => [name, train, test])).toEqual(
      SORTED.slice(1).map((name) => [name, 96, 24]),
    );
  });

  it('measures the images and finds the broken one', async () => {
    const words = ['data', 'stats', '--config', config('pretrain'), '--samples', 'samples.png'];
    const found = await place.result<DataStatistics>(words);
    expect(found).toMatchObject({ images: 385, measured: 384, sizes: [{ height: 32, width: 40, images: 384 }] });
    expect(found.broken).toEqual({
      count: 1,
      images: [{ name: BROKEN, reason: expect.stringMatching(/^cannot be decoded as an image: /) }],
    });
    expect((await sharp(place.at('samples.png')).metadata()).format).toBe('png');
  });
});

describe('wave pretrain', () => {
  it('learns: accuracy on new images is far above the chance of 25 %', () => {
    expect(ended.code).toBe(0);
    expect(trained.top1).toBeGreaterThan(0.8);
    expect(trained).toMatchObject({ epochs: 12, steps: 144, best: { model: 'run/best.safetensors' } });
  });

  it('tells the broken image once, and counts it', () => {
    const told = ended.stderr.split('\n').filter((line) => line.includes('broken.jpg'));
    expect(told).toEqual([
      expect.stringMatching(/^wave: warning: images\/train\/apple\/broken\.jpg: cannot be decoded .*; left out$/),
    ]);
    expect(trained).toMatchObject({ brokenImages: 1 });
  });

  it('keeps the names of the folders in the model', async () => {
    const { spec } = await loadModel(place.at('run'));
    expect(spec.labels).toEqual(SORTED);
  });

  it('ends at a broken image where that is asked for, and leaves no model', async () => {
    const words = ['pretrain', '--config', config('pretrain'), '--out', 'strict', ...SMALL];
    const { code, stderr } = await place.wave([...words, '--set', 'data.on_broken=fail', '--quiet']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^wave: error: images\/train\/apple\/broken\.jpg: [^\n]+set data\.on_broken to skip\n$/);
    expect(place.names('strict') ?? []).not.toContain('model.safetensors');
  });
});

describe('the model', () => {
  it('is measured as the training measured it', async () => {
    const words = ['eval', 'run', '--config', config('pretrain'), ...SMALL];
    const measured = await place.result<EvaluateResult>(words);
    expect(measured).toMatchObject({ top1: trained.top1, images: 96 });
    expect(measured).not.toHaveProperty('brokenImages');
  });

  it('names the classes of image files', async () => {
    const folders = SORTED.map((name) => `images/test/${name}`);
    const { predictions } = await place.result<PredictResult>(['predict', 'run', ...folders, '--top', '1']);
    const right = predictions.filter(({ input, top }) => input.startsWith(`images/test/${top[0].label}/`));
    expect(predictions).toHaveLength(96);
    expect(right.length / predictions.length).toBeGreaterThan(0.8);
  });

  it('is fine-tuned with the other configuration, names kept', async () => {
    const sets = ['data.image=16', 'train.epochs=1', 'train.warmup_epochs=0', 'engine.threads=1'];
    const words = ['finetune', '--config', config('finetune'), '--model', 'run', '--out', 'tuned'];
    const tuned = await place.result<FinetuneResult>([...words, ...sets.flatMap((set) => ['--set', set])]);
    expect(tuned).toMatchObject({ steps: 12, head: 'kept', brokenImages: 1 });
    expect((await loadModel(place.at('tuned'))).spec.labels).toEqual(SORTED);
  });
});

describe('drawn images', () => {
  it('serve at 224 pixels in colour with the recipe', async () => {
    writeFileSync(
      place.at('drawn.yaml'),
      `
recipe: deit
model: { patch: 32, depth: 1, width: 16, heads: 1 }
data: { source: synthetic, synthetic: { image: 224, channels: 3, classes: 6, train: 24, test: 6 } }
train: { steps: 2, batch: 8, lr_base_batch: null }
engine: { threads: 1 }
`,
    );
    const result = await place.result<PretrainResult>(['pretrain', '--config', 'drawn.yaml', '--out', 'drawn']);
    expect(result).toMatchObject({ steps: 2 });
    expect(result.loss).toBeLessThan(4);
  });
});
