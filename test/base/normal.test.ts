import { describe, expect, it } from 'vitest';
import { normalCdf, normalQuantile } from '#wave/base/normal.js';

// Reference values: torch.special.ndtri and ndtr in float64 (PyTorch 2.13).
const QUANTILES: [number, number][] = [
  [0.5, 0],
  [0.3, -0.5244005127080409],
  [0.01, -2.3263478740408408],
  [0.001, -3.090232306167813],
  [0.999, 3.090232306167813],
  [1e-8, -5.612001244174789],
  [1e-15, -7.941345326170998],
  [1e-300, -37.0470962993612],
];
const PROBABILITIES: [number, number][] = [
  [-6, 9.865876449133282e-10],
  [-2, 0.02275013194817921],
  [-0.3, 0.3820885778110474],
  [0, 0.5],
  [1, 0.841344746068543],
  [2.5, 0.9937903346742238],
];

describe('normalQuantile', () => {
  it.each(QUANTILES)('gives the quantile of %d to 14 digits', (p, x) => {
    expect(Math.abs(normalQuantile(p) - x)).toBeLessThanOrEqual(1e-14 * Math.max(1, Math.abs(x)));
  });

  it('reaches infinity only at 0 and 1', () => {
    expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
    expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
    expect(normalQuantile(1 - 2 ** -53)).toBeCloseTo(8.2095, 3);
  });
});

describe('normalCdf', () => {
  it.each(PROBABILITIES)('gives the probability below %d', (x, p) => {
    expect(Math.abs(normalCdf(x) - p)).toBeLessThan(1e-15 + 1e-12 * p);
  });

  it('saturates far from the centre', () => {
    expect([normalCdf(-100), normalCdf(100)]).toEqual([0, 1]);
  });
});
