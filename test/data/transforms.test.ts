import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { drawAugment, normaliseTable } from '#wave/data/index.js';

describe('normaliseTable', () => {
  it('is (v / 255 - mean) / std, by hand for the constants of MNIST', () => {
    const table = normaliseTable([0.1307], [0.3081], 1);
    expect(table).toHaveLength(256);
    // (0 - 0.1307) / 0.3081, (51 / 255 - 0.1307) / 0.3081 and (1 - 0.1307) / 0.3081
    expect(table[0]).toBeCloseTo(-0.4242129, 6);
    expect(table[51]).toBeCloseTo(0.224927, 6);
    expect(table[255]).toBeCloseTo(2.8214865, 6);
  });

  it('gives each channel its own values, or all of them one', () => {
    const own = normaliseTable([0, 0.5], [1, 0.5], 2);
    expect([own[0], own[255], own[256], own[511]]).toEqual([0, 1, -1, 1]);
    const one = normaliseTable([0.5], [0.5], 2);
    expect([...one.subarray(0, 256)]).toEqual([...one.subarray(256)]);
  });

  it('refuses a number of values that fits no reading', () => {
    expect(() => normaliseTable([0, 0, 0], [1], 1)).toThrow(ConfigError);
    expect(() => normaliseTable([0], [1, 1], 3)).toThrow(
      'data.std: 2 values for images with 3 channels; give one per channel, or one for all',
    );
  });
});

describe('drawAugment', () => {
  const draws = Array.from({ length: 2000 }, (_, i) => drawAugment({ padCrop: 2, flip: true }, 1, 0, i));

  it('reaches every offset from -pad to pad, equally often, and no other', () => {
    for (const axis of ['top', 'left'] as const) {
      const counts = new Map<number, number>();
      for (const draw of draws) counts.set(draw[axis], (counts.get(draw[axis]) ?? 0) + 1);
      expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
      for (const count of counts.values()) expect(Math.abs(count - 400)).toBeLessThan(80);
    }
  });

  it('draws the two axes and the flip independently', () => {
    expect(new Set(draws.map(({ top, left, flip }) => `${top} ${left} ${flip}`)).size).toBe(50);
    const flips = draws.filter(({ flip }) => flip).length;
    expect(Math.abs(flips - 1000)).toBeLessThan(100);
  });

  it('is a pure function of seed, epoch and sample', () => {
    const augment = { padCrop: 8, flip: true };
    const text = (...key: [number, number, number]) => JSON.stringify(drawAugment(augment, ...key));
    expect(text(1, 2, 3)).toBe(text(1, 2, 3));
    const changed = [0, 1, 2, 3].map((i) => [text(1 + i, 2, 3), text(1, 2 + i, 3), text(1, 2, 3 + i)]);
    for (const row of [0, 1, 2]) expect(new Set(changed.map((texts) => texts[row])).size).toBe(4);
  });

  it('keeps the crop of a sample when flipping is switched off', () => {
    const on = drawAugment({ padCrop: 2, flip: true }, 1, 0, 5);
    expect(drawAugment({ padCrop: 2, flip: false }, 1, 0, 5)).toEqual({ ...on, flip: false });
  });
});
