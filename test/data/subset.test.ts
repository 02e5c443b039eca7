import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { balancedSubset } from '#wave/data/index.js';

/** 60 samples: 30 of class 0, 20 of class 1, 10 of class 2. */
const LABELS = Uint8Array.from({ length: 60 }, (_, i) => (i % 6 < 3 ? 0 : i % 6 < 5 ? 1 : 2));

function perClass(indices: Uint32Array): number[] {
  const counts = [0, 0, 0];
  for (const index of indices) counts[LABELS[index]]++;
  return counts;
}

const limit = (count: number, seed = 0) => balancedSubset(LABELS, 3, { limit: count, fraction: null }, seed);
const fraction = (share: number, seed = 0) => balancedSubset(LABELS, 3, { limit: null, fraction: share }, seed);

describe('balancedSubset', () => {
  it('takes everything in order when not asked for less', () => {
    const all = balancedSubset(LABELS, 3, { limit: null, fraction: null }, 0);
    expect([...all]).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect([...fraction(1)]).toEqual([...all]);
  });

  it('takes equally many of every class for a limit', () => {
    expect(perClass(limit(30))).toEqual([10, 10, 10]);
  });

  it('spreads the remainder of a limit over different classes', () => {
    const counts = perClass(limit(11));
    expect(counts.sort()).toEqual([3, 4, 4]);
    const extras = new Set(Array.from({ length: 30 }, (_, seed) => perClass(limit(10, seed)).indexOf(4)));
    expect(extras.size).toBe(3);
  });

  it('takes the same share of every class for a fraction, rounded half up, never none', () => {
    expect(perClass(fraction(0.25))).toEqual([8, 5, 3]);
    expect(perClass(fraction(0.01))).toEqual([1, 1, 1]);
  });

  it('gives ascending samples without repetition', () => {
    const indices = [...limit(21)];
    expect(indices).toEqual([...new Set(indices)].sort((a, b) => a - b));
  });

  it('depends on the seed and on nothing else', () => {
    expect([...limit(12, 1)]).toEqual([...limit(12, 1)]);
    expect([...limit(12, 1)]).not.toEqual([...limit(12, 2)]);
  });

  it('keeps a smaller subset inside a larger one', () => {
    for (const [smaller, larger] of [
      [limit(10), limit(11)],
      [limit(11), limit(15)],
      [fraction(0.1), fraction(0.35)],
    ]) {
      const around = new Set(larger);
      expect([...smaller].every((index) => around.has(index))).toBe(true);
    }
  });

  it('names the class that is too small, and the largest limit that works', () => {
    expect(() => limit(33)).toThrow(ConfigError);
    expect(() => limit(33)).toThrow(
      'data.limit: 33 images in equal parts need 11 of class 2, which has 10; the largest limit is 30, or use data.fraction',
    );
    expect(limit(30)).toHaveLength(30);
  });
});
