import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DataError } from '#wave/base/errors.js';
import { type RasterSource, type SyntheticOptions, syntheticSource } from '#wave/data/index.js';

const OPTIONS: SyntheticOptions = { image: 16, channels: 1, classes: 4, count: 40, seed: 3, split: 'train' };

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
    expect(digest(syntheticSource(OPTIONS))).toBe(digest(syntheticSource(OPTIONS)));
  });

  it('draws other images for another seed and another split', () => {
    const base = digest(syntheticSource(OPTIONS));
    expect(digest(syntheticSource({ ...OPTIONS, seed: 4 }))).not.toBe(base);
    expect(digest(syntheticSource({ ...OPTIONS, split: 'test' }))).not.toBe(base);
  });

  it('keeps the first images when more are drawn', () => {
    const few = syntheticSource({ ...OPTIONS, count: 10 });
    const many = syntheticSource({ ...OPTIONS, count: 30 });
    expect([...many.pixels.subarray(0, few.pixels.length)]).toEqual([...few.pixels]);
  });

  it('gives every class its share and every image its own pixels', () => {
    const source = syntheticSource({ ...OPTIONS, channels: 3 });
    expect(source).toMatchObject({ count: 40, channels: 3, height: 16, width: 16 });
    for (let label = 0; label < 4; label++) expect(source.labels.filter((value) => value === label)).toHaveLength(10);
    const images = Array.from({ length: 40 }, (_, i) => source.pixels.slice(i * 768, (i + 1) * 768).join());
    expect(new Set(images).size).toBe(40);
  });

  it('can be learnt: stripe direction alone tells most of ten classes apart', () => {
    const options = { ...OPTIONS, image: 28, classes: 10, count: 400 };
    const train = syntheticSource(options);
    const centres = Array.from({ length: 10 }, () => [0, 0]);
    for (let i = 0; i < train.count; i++) {
      const [even, odd] = direction(train, i);
      centres[train.labels[i]][0] += even;
      centres[train.labels[i]][1] += odd;
    }
    const test = syntheticSource({ ...options, split: 'test' });
    let right = 0;
    for (let i = 0; i < test.count; i++) {
      const [even, odd] = direction(test, i);
      const scores = centres.map(([x, y]) => (x * even + y * odd) / Math.hypot(x, y));
      if (scores.indexOf(Math.max(...scores)) === test.labels[i]) right++;
    }
    expect(right / test.count).toBeGreaterThan(0.5);
  });

  it('refuses more pixels than memory should hold', () => {
    expect(() => syntheticSource({ ...OPTIONS, image: 1024, channels: 16, count: 1000 })).toThrow(DataError);
  });
});
