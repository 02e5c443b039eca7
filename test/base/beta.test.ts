import { describe, expect, it } from 'vitest';
import { drawBeta, drawLogGamma } from '#wave/base/beta.js';
import { createRng } from '#wave/base/rng.js';

const DRAWS = 20_000;
/** Of the Kolmogorov-Smirnov distance of 20,000 draws: 1.95 / sqrt(n), exceeded once in 1,000 seeds. */
const LIMIT = 1.95 / Math.sqrt(DRAWS);

const draws = (name: string, draw: (rng: ReturnType<typeof createRng>) => number) => {
  const rng = createRng(7, name);
  return Float64Array.from({ length: DRAWS }, () => draw(rng)).sort();
};

/** Largest distance between the shares of the sorted values and a distribution function. */
function distance(values: Float64Array, cdf: (x: number) => number): number {
  let most = 0;
  values.forEach((value, i) => {
    const expected = cdf(value);
    most = Math.max(most, Math.abs(expected - i / DRAWS), Math.abs(expected - (i + 1) / DRAWS));
  });
  return most;
}

const mean = (values: Float64Array, power = 1) => values.reduce((sum, x) => sum + x ** power, 0) / values.length;

describe('drawLogGamma', () => {
  it.each<[number, (x: number) => number]>([
    [1, (x) => 1 - Math.exp(-x)],
    [2, (x) => 1 - Math.exp(-x) * (1 + x)],
    [3, (x) => 1 - Math.exp(-x) * (1 + x + (x * x) / 2)],
  ])('gives the logarithm of a Gamma draw of shape %d', (shape, cdf) => {
    const values = draws(`gamma-${shape}`, (rng) => Math.exp(drawLogGamma(rng, shape)));
    expect(distance(values, cdf)).toBeLessThan(LIMIT);
  });

  it.each([0.3, 0.8, 1.5, 7])('has mean and variance %d, its shape', (shape) => {
    const values = draws(`moments-${shape}`, (rng) => Math.exp(drawLogGamma(rng, shape)));
    // The mean deviates by sqrt(shape / n), the second moment by the root of that of the fourth; allowed are five of them.
    expect(Math.abs(mean(values) - shape)).toBeLessThan(5 * Math.sqrt(shape / DRAWS));
    const second = shape * (shape + 1);
    const fourth = second * (shape + 2) * (shape + 3);
    expect(Math.abs(mean(values, 2) - second)).toBeLessThan(5 * Math.sqrt((fourth - second ** 2) / DRAWS));
  });

  it.each([0, -1, Number.NaN])('refuses shape %d', (shape) => {
    expect(() => drawLogGamma(createRng(0), shape)).toThrow(/shape must be above 0/);
  });
});

describe('drawBeta', () => {
  it.each<[number, number, (x: number) => number]>([
    [1, 1, (x) => x],
    [0.5, 0.5, (x) => (2 / Math.PI) * Math.asin(Math.sqrt(x))],
    [2, 2, (x) => 3 * x ** 2 - 2 * x ** 3],
    [3, 1, (x) => x ** 3],
    [1, 0.25, (x) => 1 - (1 - x) ** 0.25],
  ])('is of the Beta distribution of %d and %d', (a, b, cdf) => {
    expect(
      distance(
        draws(`beta-${a}-${b}`, (rng) => drawBeta(rng, a, b)),
        cdf,
      ),
    ).toBeLessThan(LIMIT);
  });

  it('has the moments of DeiT’s mixup, 0.8 and 0.8', () => {
    const values = draws('mixup', (rng) => drawBeta(rng, 0.8, 0.8));
    // Mean 1/2, variance 1 / (4 (2a + 1)); deviations of the two from the fourth central moment, at most 1/16.
    expect(Math.abs(mean(values) - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 10.4 / DRAWS));
    const variance = mean(values, 2) - mean(values) ** 2;
    expect(Math.abs(variance - 1 / 10.4)).toBeLessThan(5 * Math.sqrt(1 / 16 / DRAWS));
  });

  it('stays in its bounds for parameters so small that Gamma draws are no doubles', () => {
    const values = draws('tiny', (rng) => drawBeta(rng, 1e-4, 1e-4));
    expect([...values].every((x) => x >= 0 && x <= 1)).toBe(true);
    expect(Math.abs(values.filter((x) => x < 0.5).length / DRAWS - 0.5)).toBeLessThan(0.02);
    expect(values.filter((x) => x > 0.01 && x < 0.99).length / DRAWS).toBeLessThan(0.01);
  });

  it('is a pure function of the generator', () => {
    const once = () => drawBeta(createRng(1, 'mix', 2, 3), 0.8, 0.8);
    expect(once()).toBe(once());
  });
});
