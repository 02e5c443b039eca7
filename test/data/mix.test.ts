/** Mixup and cutmix against timm's, and what the loader makes of them. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { dataSchema, RECIPES } from '#wave/config/index.js';
import {
  type Batch,
  type Dataset,
  drawMix,
  Loader,
  type LoaderOptions,
  type Mix,
  type MixSettings,
  mixPatches,
  openData,
  patchify,
  unpatchify,
} from '#wave/data/index.js';
import { cutAround } from '#wave/data/mix.js';
import type { PatchShape } from '#wave/data/patches.js';
import { batchTargets } from '#wave/train/index.js';
import { expectClose } from '../support/close.js';
import { normalSized, labels as pureLabels } from '../support/pure-weights.js';
import { bytesOf, collect, datasetOf, patternSource } from './helpers.js';

interface Centre {
  readonly y: number;
  readonly x: number;
}

/** Written by scripts/fixtures/make-mix-fixtures.py. */
interface Fixture {
  readonly boxes: {
    readonly height: number;
    readonly width: number;
    readonly drawn: number;
    readonly centre: Centre;
    readonly box: { readonly top: number; readonly left: number; readonly height: number; readonly width: number };
    readonly lambda: number;
  }[];
  readonly batches: {
    readonly name: string;
    readonly shape: PatchShape;
    readonly classes: number;
    readonly smoothing: number;
    readonly drawn: number;
    readonly centre: Centre | null;
    readonly images: number[];
    readonly targets: number[];
  }[];
  readonly limits: number[];
  readonly statistics: {
    readonly mixup: number;
    readonly cutmix: number;
    readonly prob: number;
    readonly switch: number;
    readonly found: Partial<Record<Mix['kind'], { share: number; mean: number; below: number[] }>>;
  }[];
}

const fixture: Fixture = JSON.parse(readFileSync(new URL('./fixtures/mix.json', import.meta.url), 'utf8'));
const DEIT: MixSettings = { mixup: 0.8, cutmix: 1, prob: 1, switchProb: 0.5 };

describe('cutmix', () => {
  it.each(fixture.boxes)('cuts the box of timm at $height x $width, lambda $drawn, $centre', (expected) => {
    const { centre, drawn, box, lambda } = expected;
    const found = cutAround(centre, drawn, expected);
    expect(found.box).toEqual(box);
    expect(found.lambda).toBeCloseTo(lambda, 12);
    expect(found.lambda).toBe(1 - (box.height * box.width) / (expected.height * expected.width));
  });
});

describe('a mixed batch', () => {
  it.each(fixture.batches)('$name is that of timm, images and targets', ({ name, shape, ...expected }) => {
    const { classes, smoothing, drawn, centre } = expected;
    const mix: Mix = centre ? cutAround(centre, drawn, shape) : { kind: 'mixup', lambda: drawn };
    const patches = patchify(normalSized(`${name}.images`, expected.images.length), shape);
    mixPatches(patches, shape, mix);
    expectClose(name, unpatchify(patches, shape), expected.images, { absolute: 1e-6 });
    const labels = Int32Array.from(pureLabels(`${name}.labels`, shape.batch, classes));
    const targets = batchTargets({ labels, mix }, classes, smoothing);
    expectClose(`${name}: targets`, targets, expected.targets, { absolute: 1e-7 });
  });

  it('of an odd number of images leaves the one in the middle as it is, to the bit', () => {
    const shape = { batch: 3, channels: 1, height: 2, width: 2, patch: 2 };
    const images = normalSized('odd', 12);
    for (const mix of [
      { kind: 'mixup', lambda: 0.3 },
      { kind: 'cutmix', lambda: 0.5, box: { top: 0, left: 0, height: 1, width: 2 } },
    ] as const) {
      const mixed = images.slice();
      mixPatches(mixed, shape, mix);
      expect(mixed.subarray(4, 8)).toEqual(images.subarray(4, 8));
      expect(mixed.subarray(0, 4)).not.toEqual(images.subarray(0, 4));
    }
  });
});

describe('drawMix', () => {
  const size = { height: 32, width: 32 };
  const DRAWS = 20_000;

  it.each(fixture.statistics)(
    'draws as timm does with mixup $mixup, cutmix $cutmix, prob $prob, switch $switch',
    ({ found, ...settings }) => {
      const own: MixSettings = { ...settings, switchProb: settings.switch };
      const lambdas = { mixup: [] as number[], cutmix: [] as number[] };
      for (let index = 0; index < DRAWS; index++) {
        const mix = drawMix(own, size, { seed: 5, epoch: 0, index });
        if (mix) lambdas[mix.kind].push(mix.lambda);
      }
      for (const kind of ['mixup', 'cutmix'] as const) {
        const [mine, theirs] = [lambdas[kind], found[kind]];
        if (!theirs) {
          expect(mine).toEqual([]);
          continue;
        }
        // Five deviations of a share of so many draws.
        const near = (share: number, expected: number, draws: number) =>
          expect(Math.abs(share - expected)).toBeLessThanOrEqual(5 * Math.sqrt(0.25 / draws));
        near(mine.length / DRAWS, theirs.share, DRAWS);
        near(mine.reduce((sum, x) => sum + x, 0) / mine.length, theirs.mean, mine.length);
        fixture.limits.forEach((limit, i) => {
          near(mine.filter((x) => x < limit).length / mine.length, theirs.below[i], mine.length);
        });
      }
    },
  );

  it('corrects the lambda of cutmix to the area of its box, which lies in the image', () => {
    for (let index = 0; index < 500; index++) {
      const mix = drawMix({ ...DEIT, mixup: 0 }, { height: 12, width: 20 }, { seed: 1, epoch: 3, index });
      if (mix?.kind !== 'cutmix') continue;
      const { top, left, height, width } = mix.box;
      expect(mix.lambda).toBe(1 - (height * width) / 240);
      expect([top >= 0, left >= 0, top + height <= 12, left + width <= 20, height * width > 0]).not.toContain(false);
    }
  });

  it('is a pure function of seed, epoch and batch', () => {
    const text = (seed: number, epoch: number, index: number) =>
      JSON.stringify(drawMix(DEIT, size, { seed, epoch, index }));
    expect(text(1, 2, 3)).toBe(text(1, 2, 3));
    expect(new Set([text(1, 2, 3), text(2, 2, 3), text(1, 3, 3), text(1, 2, 4)]).size).toBe(4);
  });

  it('changes nothing when nothing is on', () => {
    const draw = (settings: Partial<MixSettings>, index: number) =>
      drawMix({ ...DEIT, ...settings }, size, { seed: 0, epoch: 0, index });
    for (let index = 0; index < 50; index++) {
      expect(draw({ mixup: 0, cutmix: 0 }, index)).toBeUndefined();
      expect(draw({ prob: 0 }, index)).toBeUndefined();
    }
  });
});

const open: Loader[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

function loader(augment: Partial<Dataset['augment']>, options: Partial<LoaderOptions> = {}): Loader {
  const dataset = datasetOf(patternSource(23, 2), { augment: { padCrop: 1, flip: true, ...augment } });
  const made = new Loader({ dataset, mode: 'train', batch: 6, patch: 2, seed: 1, workers: 0, ...options });
  open.push(made);
  return made;
}

describe('a loader that mixes', () => {
  const mix = { ...DEIT, prob: 0.8 };

  it('hands out the plain batch mixed, and says so', async () => {
    const plain = await collect(loader({}), 0);
    const mixed = await collect(loader({ mix }), 0);
    const shape = { batch: 6, channels: 2, height: 4, width: 6, patch: 2 };
    expect(mixed.some((batch) => batch.mix)).toBe(true);
    mixed.forEach((batch, index) => {
      const drawn = drawMix(mix, shape, { seed: 1, epoch: 0, index });
      const { patches, labels, indices } = plain[index] as Batch;
      if (drawn) mixPatches(patches, shape, drawn);
      expect(batch.patches).toEqual(patches);
      expect([batch.labels, batch.indices]).toEqual([labels, indices]);
      expect(batch.mix).toEqual(drawn && { lambda: drawn.lambda });
    });
  });

  it('mixes where nothing else is drawn, and never in evaluation', async () => {
    const still = { padCrop: 0, flip: false };
    const [plain] = await collect(loader(still), 0);
    const [mixed] = await collect(loader({ ...still, mix: DEIT }), 0);
    expect(mixed?.patches).not.toEqual(plain?.patches);
    for (const batch of await collect(loader({ mix: DEIT }, { mode: 'eval' }), 0)) expect(batch.mix).toBeUndefined();
  });

  it.each([1, 4])('gives the same bytes with %d threads as without any, from any batch on', async (workers) => {
    const settings = { mix, repeats: 3 };
    const whole = await collect(loader(settings), 2);
    expect(bytesOf(await collect(loader(settings, { workers }), 2))).toBe(bytesOf(whole));
    expect(bytesOf(await collect(loader(settings, { workers }), 2, 2))).toBe(bytesOf(whole.slice(2)));
  });
});

describe('the recipe of DeiT, on drawn images', () => {
  const { augment, mean, std, resize } = RECIPES.deit.data;
  const synthetic = { image: 40, channels: 3, train: 60 };
  const config = dataSchema.parse({ source: 'synthetic', synthetic, image: 32, augment, mean, std, resize });
  const deit = async (options: Partial<LoaderOptions>) =>
    loader({}, { dataset: await openData(config, 'train', { seed: 0 }), batch: 12, patch: 8, ...options });

  it.each([1, 4])('gives the same bytes with %d threads as without any, from any batch on', async (workers) => {
    const whole = await collect(await deit({ workers: 0 }), 1);
    expect(new Set(whole.flatMap(({ indices }) => [...indices])).size).toBe(20);
    expect(whole.every(({ patches }) => patches.every(Number.isFinite))).toBe(true);
    expect(bytesOf(await collect(await deit({ workers }), 1))).toBe(bytesOf(whole));
    expect(bytesOf(await collect(await deit({ workers }), 1, 3))).toBe(bytesOf(whole.slice(3)));
  });
});

describe('a loader that repeats', () => {
  it('shows each drawn sample so often, side by side, and as many images in all', async () => {
    const [batch] = await collect(loader({ repeats: 3 }, { batch: 23 }), 0);
    const shown = [...(batch as Batch).indices];
    const drawn = shown.filter((_, place) => place % 3 === 0);
    expect(shown).toEqual(drawn.flatMap((sample) => [sample, sample, sample]).slice(0, 23));
    expect(new Set(drawn).size).toBe(8);
    expect([...(batch as Batch).labels]).toEqual(shown.map((sample) => sample % 3));
  });

  it('draws other samples in other epochs: the first ones of the order without repetition', async () => {
    const drawn = async (repeats: number, epoch: number) => {
      const [batch] = await collect(loader({ repeats }, { batch: 23 }), epoch);
      return [...(batch as Batch).indices].filter((_, place) => place % repeats === 0);
    };
    expect(await drawn(3, 0)).toEqual((await drawn(1, 0)).slice(0, 8));
    expect(await drawn(3, 0)).not.toEqual(await drawn(3, 1));
  });

  it('augments each repetition in its own way, the first as without any', async () => {
    const augment = { padCrop: 2, flip: true };
    const images = async (repeats: number) => {
      const [batch] = await collect(loader({ ...augment, repeats }, { batch: 23 }), 0);
      const values = unpatchify((batch as Batch).patches, { batch: 23, channels: 2, height: 4, width: 6, patch: 2 });
      return Array.from({ length: 23 }, (_, slot) => values.subarray(slot * 48, (slot + 1) * 48).join());
    };
    const [once, thrice] = [await images(1), await images(3)];
    expect([0, 3, 6].map((place) => thrice[place])).toEqual(once.slice(0, 3));
    const differing = [0, 3, 6, 9, 12, 15, 18].filter((place) => new Set(thrice.slice(place, place + 3)).size === 3);
    expect(differing.length).toBeGreaterThanOrEqual(6);
  });

  it('draws a repetition by its place in the epoch, whatever the batches', async () => {
    const images = async (batch: number) => {
      const found: string[] = [];
      for (const { patches } of await collect(loader({ repeats: 3 }, { batch }), 1)) {
        const values = unpatchify(patches, { batch, channels: 2, height: 4, width: 6, patch: 2 });
        for (let slot = 0; slot < batch; slot++) found.push(values.subarray(slot * 48, (slot + 1) * 48).join());
      }
      return found;
    };
    expect(await images(5)).toEqual((await images(23)).slice(0, 20));
  });
});
