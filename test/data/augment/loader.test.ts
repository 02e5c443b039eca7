import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { dataSchema, parseRandAugment } from '#wave/config/index.js';
import type { RandAugment } from '#wave/data/augment/rand-augment.js';
import {
  type Augment,
  type Batch,
  type Dataset,
  Loader,
  type LoaderOptions,
  openData,
  type RecordSource,
} from '#wave/data/index.js';
import { packText } from '#wave/data/packed-text.js';
import { collect, datasetOf, patternSource } from '../helpers.js';

const open: Loader[] = [];
function loader(options: Pick<LoaderOptions, 'dataset'> & Partial<LoaderOptions>): Loader {
  const made = new Loader({ mode: 'train', batch: 3, patch: 4, seed: 1, workers: 0, ...options });
  open.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

const bytes = (batches: readonly Batch[]) =>
  batches.map(({ patches, indices }) => [Buffer.from(patches.buffer).toString('base64'), String(indices)].join());

function randAugment(text: string, channels: number): RandAugment {
  return { ...parseRandAugment(text), filter: 'random', fill: new Array(channels).fill(128) };
}

/** In memory, of the model's own size. */
function inMemory(augment: Partial<Augment>, channels = 3): Dataset {
  return datasetOf(patternSource(10, channels, 16, 24), { augment: { padCrop: 2, flip: true, ...augment } });
}

const names = ['wide.png', 'grey.png', 'tall.jpg', 'palette.png', 'small.png', 'wide.jpg', 'rotated.jpg'];

/** Files, decoded and framed in the loader. */
function inFiles(augment: Partial<Augment>): Dataset {
  const source: RecordSource = {
    kind: 'records',
    name: 'files',
    count: names.length,
    classes: 2,
    labels: Int32Array.from(names, (_, i) => i % 2),
    channels: 3,
    records: {
      kind: 'files',
      root: fileURLToPath(new URL('../fixtures/pictures', import.meta.url)),
      names: packText(names),
    },
    bytesOf: () => 0,
  };
  const image = [16, 24] as const;
  return {
    ...inMemory({ padCrop: 0, randomResizedCrop: { scale: [0.3, 1], ratio: [0.75, 1.5] }, ...augment }),
    source,
    indices: Uint32Array.from(names, (_, i) => i),
    image,
    framing: { image, resize: image, mode: 'shortest', interpolation: 'bicubic' },
  };
}

const CHANGES = {
  'RandAugment and noise': {
    randAugment: randAugment('rand-m9-mstd0.5-inc1-p1', 3),
    erasing: { probability: 0.5, mode: 'pixel' },
  },
  'colour jitter': { colorJitter: 0.4 },
  'one colour erased': { erasing: { probability: 1, mode: 'rand' } },
  'a filter by chance': { interpolation: 'random', colorJitter: 0.1 },
} as const satisfies Record<string, Partial<Augment>>;

const SOURCES = { memory: inMemory, files: inFiles };

describe.each(Object.keys(SOURCES) as (keyof typeof SOURCES)[])('changes of images in %s', (kind) => {
  const source = SOURCES[kind];

  it.each(Object.entries(CHANGES))(
    'are the same with any number of threads, and after an interruption: %s',
    async (_name, changes) => {
      const dataset = source(changes);
      const expected = bytes(await collect(loader({ dataset }), 2));
      expect(expected).not.toEqual(bytes(await collect(loader({ dataset: source({}) }), 2)));
      for (const workers of [1, 4]) expect(bytes(await collect(loader({ dataset, workers }), 2))).toEqual(expected);
      expect(bytes(await collect(loader({ dataset, workers: 1 }), 2, 1))).toEqual(expected.slice(1));
      expect(bytes(await collect(loader({ dataset, batch: 2 }), 3))).not.toEqual(
        bytes(await collect(loader({ dataset, batch: 2 }), 2)),
      );
    },
  );

  it('do not touch an evaluation, nor the source', async () => {
    const [plain, changed] = [source({}), source({ ...CHANGES['RandAugment and noise'] })];
    const seen = async (dataset: Dataset) => bytes(await collect(loader({ dataset, mode: 'eval' }), 0));
    const before = await seen(changed);
    expect(before).toEqual(await seen(plain));
    await collect(loader({ dataset: changed }), 0);
    expect(await seen(changed)).toEqual(before);
  });

  it('leave every byte as it is when nothing is drawn', async () => {
    const never = { randAugment: randAugment('rand-p0', 3), erasing: { probability: 0, mode: 'const' } } as const;
    const seen = async (augment: Partial<Augment>) => bytes(await collect(loader({ dataset: source(augment) }), 1));
    expect(await seen(never)).toEqual(await seen({}));
  });
});

describe('changes of images of one channel', () => {
  it('happen in colour where the channel is repeated', async () => {
    const augment = { padCrop: 1, flip: true, randAugment: randAugment('rand-p0', 3) };
    const source = patternSource(6, 1, 16, 24);
    const seen = async (parts: Augment) =>
      bytes(await collect(loader({ dataset: datasetOf(source, { channels: 3, augment: parts }) }), 0));
    expect(await seen(augment)).toEqual(await seen({ padCrop: 1, flip: true }));
    // Shifted by 45 % of the width: what comes in has the colour of the mean.
    const fill = [255, 0, 51];
    const shifted = { ...augment, padCrop: 0, randAugment: { ...randAugment('rand-p1-n30', 3), fill } };
    const [{ patches }] = await collect(loader({ dataset: datasetOf(source, { channels: 3, augment: shifted }) }), 0);
    const values = [0, 1, 2].map((c) => new Set(patches.filter((_, i) => Math.floor((i % 48) / 16) === c)));
    expect(values[0]).not.toEqual(values[1]);
  });
});

describe('openData', () => {
  const config = (augment: object, rest: object = {}) =>
    dataSchema.parse({ source: 'synthetic', synthetic: { channels: 3, train: 4 }, augment, ...rest });
  const opened = async (augment: object, rest?: object) =>
    (await openData(config(augment, rest), 'train', { seed: 0 })).augment;

  it('takes fill colour and filter as timm does', async () => {
    const mean = [0.485, 0.456, 0.406];
    const made = await opened({ rand_augment: 'rand-m9-mstd0.5-inc1', color_jitter: 0.4 }, { mean, std: mean });
    expect(made.randAugment).toEqual({
      ...parseRandAugment('rand-m9-mstd0.5-inc1'),
      filter: 'bicubic',
      fill: [124, 116, 104],
    });
    // Half of 255, rounded as Python does.
    expect((await opened({ rand_augment: 'rand', interpolation: 'random' })).randAugment).toMatchObject({
      filter: 'random',
      fill: [128, 128, 128],
    });
  });

  it('leaves colour jitter out beside RandAugment', async () => {
    expect((await opened({ rand_augment: 'rand', color_jitter: 0.4 })).colorJitter).toBe(0);
    expect((await opened({ color_jitter: 0.4 })).colorJitter).toBe(0.4);
  });

  it('erases only where it is asked to', async () => {
    expect((await opened({})).erasing).toBeNull();
    expect((await opened({ erasing: 0.25 })).erasing).toEqual({ probability: 0.25, mode: 'pixel' });
  });

  it.each(['rand_augment', 'color_jitter'])('refuses %s for images that have no colours', async (key) => {
    const augment = { [key]: key === 'rand_augment' ? 'rand' : 1 };
    const attempt = opened(augment, { synthetic: { channels: 2, train: 4 } });
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow(
      new RegExp(`^data\\.augment\\.${key}: takes images of 1 or 3 channels, those of .* have 2; leave it out$`),
    );
  });
});
