import { describe, expect, it } from 'vitest';
import { createRng, Rng } from '#wave/base/rng.js';

const DRAWS = 50_000;

function take<T>(count: number, draw: () => T): T[] {
  return Array.from({ length: count }, draw);
}

function moments(values: number[]): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, variance };
}

describe('Rng', () => {
  it('gives the published sequence of xoshiro128** 1.1 from state 1, 2, 3, 4', () => {
    const rng = new Rng([1, 2, 3, 4]);
    expect(take(10, () => rng.uint32())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it('keeps uniform() in [0, 1) with the moments of a uniform', () => {
    const rng = createRng(1, 'uniform');
    const values = take(DRAWS, () => rng.uniform());
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    const { mean, variance } = moments(values);
    expect(mean).toBeCloseTo(1 / 2, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
  });

  it('draws every value of int(n) equally often', () => {
    const rng = createRng(2, 'int');
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < DRAWS; i++) counts[rng.int(7)]++;
    const expected = DRAWS / 7;
    const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 6 degrees of freedom: 22.5 is exceeded once in 1,000 seeds.
    expect(chiSquared).toBeLessThan(22.5);
  });

  it('does not favour small values when n does not divide 2^32', () => {
    // With a plain remainder the lower half of [0, 3 * 2^30) would come up twice as often as the rest.
    const rng = createRng(3, 'bias');
    const n = 3 * 2 ** 30;
    const low = take(20_000, () => rng.int(n)).filter((value) => value < 2 ** 30).length;
    expect(low / 20_000).toBeCloseTo(1 / 3, 1.6);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 32 + 1])('refuses int(%d)', (n) => {
    expect(() => createRng(0).int(n)).toThrow(/n must be in 1\.\.2\^32/);
  });

  it('gives normal() mean 0, variance 1 and the shares of a normal', () => {
    const rng = createRng(4, 'normal');
    const values = take(DRAWS, () => rng.normal());
    const { mean, variance } = moments(values);
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
    expect(values.filter((value) => Math.abs(value) < 1).length / DRAWS).toBeCloseTo(0.6827, 1.9);
    expect(values.filter((value) => Math.abs(value) < 2).length / DRAWS).toBeCloseTo(0.9545, 1.9);
  });

  it('conditions truncatedNormal on its bounds, which are values and not multiples of std', () => {
    const rng = createRng(5, 'truncated');
    const values = take(DRAWS, () => rng.truncatedNormal(0.5, -0.5, 1));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.5);
    expect(Math.max(...values)).toBeLessThanOrEqual(1);
    // A standard normal on [-1, 2] has mean 0.229637 and variance 0.519763 (closed form); std 0.5 scales them.
    const { mean, variance } = moments(values);
    expect(mean).toBeCloseTo(0.229637 * 0.5, 2);
    expect(variance).toBeCloseTo(0.519763 * 0.25, 2);
  });

  it('leaves a narrow normal untouched by far bounds', () => {
    const rng = createRng(6, 'weights');
    const values = take(DRAWS, () => rng.truncatedNormal(0.02, -2, 2));
    expect(Math.sqrt(moments(values).variance)).toBeCloseTo(0.02, 3);
  });

  it('answers for new bounds at once after others were used', () => {
    const rng = createRng(6, 'bounds');
    const within = (std: number, lo: number, hi: number) =>
      expect(take(50, () => rng.truncatedNormal(std, lo, hi)).every((value) => value > lo && value < hi)).toBe(true);
    within(1, -1, 1);
    within(1, 0.9, 1);
    within(1, 0.9, 0.95);
    within(0.4, 0.9, 0.95);
  });

  it('refuses a truncation without width', () => {
    expect(() => createRng(0).truncatedNormal(1, 2, 2)).toThrow(/lo < hi/);
  });

  it('shuffles into a permutation, in place', () => {
    const items = Int32Array.from({ length: 1000 }, (_, i) => i);
    expect(createRng(7, 'shuffle').shuffle(items)).toBe(items);
    expect([...items]).not.toEqual([...items].sort((a, b) => a - b));
    expect(new Set(items).size).toBe(1000);
  });

  it('reaches every order of three items equally often', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = createRng(8, 'order', i)
        .shuffle(Uint8Array.of(0, 1, 2))
        .join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});

describe('createRng', () => {
  // From an independent Python program: SHA-256 of the JSON list [seed, ...stream], then xoshiro128**.
  it.each([
    [[0], [3744648282, 1221898872, 3483176255, 2719883117]],
    [
      [7, 'shuffle', 3],
      [1797486224, 361697379, 1162250759, 2414255833],
    ],
    [
      [7, 'augment', 3, 59999],
      [692543414, 3555677745, 1924922367, 2546654034],
    ],
    [
      [-1, 'x', '1'],
      [980247928, 2736083514, 80588010, 400988385],
    ],
    [
      [-1, 'x', 1],
      [3427138091, 3636694033, 252020102, 1016878587],
    ],
  ] as [[number, ...(string | number)[]], number[]][])('starts stream %j at its known answer', (key, expected) => {
    const rng = createRng(...key);
    expect(take(4, () => rng.uint32())).toEqual(expected);
  });

  it('turns bits into uniforms and normals as an independent program does', () => {
    const uniform = createRng(7, 'u');
    expect(take(3, () => uniform.uniform())).toEqual([0.7427536402923522, 0.91584707247258, 0.8687331397741417]);
    const normal = createRng(7, 'n');
    const expected = [-0.08703563649614059, 0.09251326318073101, -1.0308597354142508];
    for (const value of expected) expect(normal.normal()).toBeCloseTo(value, 14);
  });

  it('gives uncorrelated streams to neighbouring names', () => {
    const a = createRng(9, 'augment', 0, 1);
    const b = createRng(9, 'augment', 0, 2);
    let sum = 0;
    for (let i = 0; i < DRAWS; i++) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5) * 12;
    expect(Math.abs(sum / DRAWS)).toBeLessThan(0.02);
  });

  it('spreads the first draw of consecutive streams evenly', () => {
    const first = Array.from({ length: 4000 }, (_, i) => createRng(1, 'augment', 0, i).uniform());
    const { mean, variance } = moments(first);
    expect(mean).toBeCloseTo(0.5, 1.7);
    expect(variance).toBeCloseTo(1 / 12, 1.9);
  });

  it('refuses numbers that JSON would change', () => {
    expect(() => createRng(0.5)).toThrow(/whole/);
    expect(() => createRng(0, 'x', Number.NaN)).toThrow(/whole/);
  });
});
