import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Loader, type RasterSource, type SyntheticOptions, sampleSha256, syntheticSource } from '#wave/data/index.js';
import { bytesOf, collect, datasetOf, inMemory } from './helpers.js';

const OPTIONS: SyntheticOptions = { image: 16, channels: 1, classes: 4, count: 40, seed: 3, split: 'train' };

/** Few enough to be held. */
function heldSource(options: SyntheticOptions): RasterSource {
  return inMemory(syntheticSource(options));
}

function digest(source: RasterSource): string {
  return createHash('sha256').update(source.pixels).digest('hex');
}

/** Where the strongest gradients point, as a doubled angle: opposite gradients of one stripe agree. */
function direction(source: RasterSource, index: number): [number, number] {
  const { width, height } = source;
  const image = new Uint8Array(width * height);
  source.read(index, image);
  let even = 0;
  let odd = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const gx = image[y * width + x + 1] - image[y * width + x - 1];
      const gy = image[(y + 1) * width + x] - image[(y - 1) * width + x];
      even += gx * gx - gy * gy;
      odd += 2 * gx * gy;
    }
  }
  const length = Math.hypot(even, odd) || 1;
  return [even / length, odd / length];
}

describe('syntheticSource', () => {
  it('draws the same bytes for the same options', () => {
    expect(digest(heldSource(OPTIONS))).toBe(digest(heldSource(OPTIONS)));
  });

  it('draws other images for another seed and another split', () => {
    const base = digest(heldSource(OPTIONS));
    expect(digest(heldSource({ ...OPTIONS, seed: 4 }))).not.toBe(base);
    expect(digest(heldSource({ ...OPTIONS, split: 'test' }))).not.toBe(base);
  });

  it('keeps the first images when more are drawn', () => {
    const few = heldSource({ ...OPTIONS, count: 10 });
    const many = heldSource({ ...OPTIONS, count: 30 });
    expect([...many.pixels.subarray(0, few.pixels.length)]).toEqual([...few.pixels]);
  });

  it('gives every class its share and every image its own pixels', () => {
    const source = heldSource({ ...OPTIONS, channels: 3 });
    expect(source).toMatchObject({ count: 40, channels: 3, height: 16, width: 16 });
    for (let label = 0; label < 4; label++) expect(source.labels.filter((value) => value === label)).toHaveLength(10);
    const images = Array.from({ length: 40 }, (_, i) => source.pixels.slice(i * 768, (i + 1) * 768).join());
    expect(new Set(images).size).toBe(40);
  });

  it('can be learnt: stripe direction alone tells most of ten classes apart', () => {
    const options = { ...OPTIONS, image: 28, classes: 10, count: 400 };
    const train = heldSource(options);
    const centres = Array.from({ length: 10 }, () => [0, 0]);
    for (let i = 0; i < train.count; i++) {
      const [even, odd] = direction(train, i);
      centres[train.labels[i]][0] += even;
      centres[train.labels[i]][1] += odd;
    }
    const test = heldSource({ ...options, split: 'test' });
    let right = 0;
    for (let i = 0; i < test.count; i++) {
      const [even, odd] = direction(test, i);
      const scores = centres.map(([x, y]) => (x * even + y * odd) / Math.hypot(x, y));
      if (scores.indexOf(Math.max(...scores)) === test.labels[i]) right++;
    }
    expect(right / test.count).toBeGreaterThan(0.5);
  });

  it('draws images when they are needed where they are too many to hold, to the same batches', async () => {
    const options = { ...OPTIONS, channels: 3 };
    const held = syntheticSource(options);
    const drawn = syntheticSource(options, { inMemory: 40 * 3 * 16 * 16 - 1 });
    expect([held.kind, drawn.kind]).toEqual(['raster', 'records']);
    expect([...drawn.labels]).toEqual([...held.labels]);
    const batches = [];
    for (const source of [held, drawn]) {
      const dataset = datasetOf(source, { image: [16, 16] });
      const loader = new Loader({ dataset, mode: 'train', batch: 8, patch: 4, seed: 0, workers: 1 });
      batches.push(bytesOf(await collect(loader, 0)));
      await loader.close();
    }
    expect(batches[1]).toBe(batches[0]);
    const other = syntheticSource({ ...options, seed: 4 }, { inMemory: 0 });
    const all = Uint32Array.from({ length: 40 }, (_, i) => i);
    expect(sampleSha256(other, all)).not.toBe(sampleSha256(drawn, all));
  });
});
