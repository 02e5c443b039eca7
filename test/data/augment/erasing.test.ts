import { describe, expect, it } from 'vitest';
import { createRng } from '#wave/base/rng.js';
import { eraseSome } from '#wave/data/augment/changes.js';
import { drawErased, type Erasing, eraseBox } from '#wave/data/augment/erasing.js';
import { type PatchShape, unpatchify } from '#wave/data/index.js';

const SIDE = 224;
const DRAWS = 20_000;
const boxes = Array.from({ length: DRAWS }, (_, i) => drawErased(0.25, SIDE, SIDE, createRng(9, 'test', i)));
const found = boxes.filter((box) => box !== null);

/** Whether a count is within four standard deviations of that of independent trials. */
function expectCount(count: number, trials: number, probability: number): void {
  const deviation = Math.sqrt(trials * probability * (1 - probability));
  expect(Math.abs(count - trials * probability)).toBeLessThan(4 * deviation);
}

describe('drawErased', () => {
  it('erases as many images as asked for', () => {
    expectCount(found.length, DRAWS, 0.25);
    const count = (probability: number) =>
      Array.from({ length: 500 }, (_, i) => drawErased(probability, SIDE, SIDE, createRng(9, 'test', i))).filter(
        Boolean,
      ).length;
    expect([count(0), count(1)]).toEqual([0, 500]);
  });

  it('draws the area uniformly and the proportions log-uniformly', () => {
    const areas = found.map(({ height, width }) => (height * width) / SIDE ** 2);
    const aspects = found.map(({ height, width }) => Math.log(height / width) / Math.log(1 / 0.3));
    // Whole pixels move the ends a little.
    expect(Math.min(...areas)).toBeGreaterThan(0.019);
    expect(Math.max(...areas)).toBeLessThan(0.337);
    expect(Math.min(...aspects)).toBeGreaterThan(-1.03);
    expect(Math.max(...aspects)).toBeLessThan(1.03);
    for (const share of [0.25, 0.5, 0.75]) {
      expectCount(areas.filter((area) => area < 0.02 + share * (1 / 3 - 0.02)).length, areas.length, share);
      expectCount(aspects.filter((aspect) => aspect < 2 * share - 1).length, aspects.length, share);
    }
  });

  it('reaches every edge and stays within the image', () => {
    for (const [start, size] of [
      ['top', 'height'],
      ['left', 'width'],
    ] as const) {
      expect(Math.min(...found.map((box) => box[start]))).toBe(0);
      expect(Math.max(...found.map((box) => box[start] + box[size]))).toBe(SIDE);
      const free = found.map((box) => box[start] / (SIDE - box[size]));
      expect(Math.abs(free.reduce((sum, value) => sum + value, 0) / free.length - 0.5)).toBeLessThan(0.02);
    }
  });

  it('leaves an image alone in which nothing fits', () => {
    for (let i = 0; i < 50; i++) expect(drawErased(1, 1, SIDE, createRng(9, 'test', i))).toBeNull();
  });
});

describe('eraseBox', () => {
  const shape: PatchShape = { batch: 2, channels: 3, height: 64, width: 96, patch: 16 };
  const box = { top: 5, left: 13, height: 40, width: 70 };
  const values = 2 * 3 * 64 * 96;

  /** The two images, `[2, 3, 64, 96]`, the second with its rectangle erased. */
  function erased(mode: Erasing['mode']): Float32Array {
    const out = new Float32Array(values).fill(9);
    eraseBox(out, shape, 1, box, mode, createRng(4, 'test'));
    return unpatchify(out, shape);
  }

  const isInside = (i: number) => {
    const [x, y] = [i % 96, Math.floor(i / 96) % 64];
    const inRows = y >= box.top && y < box.top + box.height;
    return i >= values / 2 && inRows && x >= box.left && x < box.left + box.width;
  };

  it.each(['pixel', 'const', 'rand'] as const)('changes the rectangle of its image and nothing else: %s', (mode) => {
    expect(erased(mode).every((value, i) => (value !== 9) === isInside(i))).toBe(true);
  });

  it('fills with zeros, one value per channel, or noise of mean 0 and deviation 1', () => {
    const inside = (mode: Erasing['mode'], channel: number) =>
      erased(mode).filter((_, i) => isInside(i) && Math.floor(i / (64 * 96)) % 3 === channel);
    expect(new Set([0, 1, 2].flatMap((channel) => [...inside('const', channel)]))).toEqual(new Set([0]));
    const colours = [0, 1, 2].map((channel) => [...new Set(inside('rand', channel))]);
    expect(colours.map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(new Set(colours.flat()).size).toBe(3);
    const noise = [0, 1, 2].flatMap((channel) => [...inside('pixel', channel)]);
    const moment = (power: number) => noise.reduce((sum, value) => sum + value ** power, 0) / noise.length;
    // Four standard deviations of each estimate.
    expect(Math.abs(moment(1))).toBeLessThan(4 / Math.sqrt(noise.length));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / noise.length));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / noise.length));
    expect(new Set(noise).size).toBeGreaterThan(0.9 * noise.length);
  });

  it('follows from seed, epoch and sample alone', () => {
    const once = (...key: number[]) => {
      const out = new Float32Array(values);
      eraseSome(out, shape, 0, { probability: 1, mode: 'pixel' }, 5, key);
      return out;
    };
    expect(once(1, 2)).toEqual(once(1, 2));
    expect(once(1, 2)).not.toEqual(once(2, 2));
    expect(once(1, 2)).not.toEqual(once(1, 3));
  });
});
