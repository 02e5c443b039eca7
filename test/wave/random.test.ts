/** Random templates and scalers: repeatable, of the stated deviation, and norms that begin as norms. */
import { describe, expect, it } from 'vitest';
import { CONVENTIONS, kindShapes, SCALERS, scalerShapes, templateShapes } from '#wave/wave/bank.js';
import { materialiseValues } from '#wave/wave/materialise-host.js';
import { randomScalers, randomTemplates } from '#wave/wave/random.js';
import * as pure from '../support/pure-weights.js';
import { layoutOf, parts, pureTemplates, VARIANTS, valuesOf, vit } from './support.js';

const MODEL = vit(4, 64, 4);
const LAYOUT = layoutOf(16, { count: 8, small_count: 4 });

const isNormScale = (name: string): boolean => /norm\d?\.weight$/.test(name);

function moments(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length) };
}

/** Standard error of a mean or deviation of `n` numbers, five times: fails once in a million draws. */
const error = (n: number, deviation: number): number => (5 * deviation) / Math.sqrt(n);

describe('randomTemplates', () => {
  it('fills every template; the seed decides', () => {
    const templates = randomTemplates(MODEL, LAYOUT, 1);
    expect(new Map([...templates].map(([name, { length }]) => [name, length]))).toEqual(
      new Map([...templateShapes(MODEL, LAYOUT)].map(([name, shape]) => [name, shape.reduce((a, b) => a * b, 1)])),
    );
    expect(randomTemplates(MODEL, LAYOUT, 1)).toEqual(templates);
    for (const [name, values] of randomTemplates(MODEL, LAYOUT, 2)) expect(values).not.toEqual(templates.get(name));
  });

  it('is normal of deviation 0.02, around 1 for norm scales', () => {
    for (const [name, values] of randomTemplates(MODEL, LAYOUT, 3)) {
      const { mean, deviation } = moments(values);
      expect(Math.abs(mean - Number(isNormScale(name))), name).toBeLessThan(error(values.length, 0.02));
      expect(Math.abs(deviation - 0.02), name).toBeLessThan(error(values.length, 0.02));
    }
  });

  it('does not depend on depth or on the width beyond the template', () => {
    expect(randomTemplates({ ...MODEL, depth: 2, width: 32, hidden: 128 }, LAYOUT, 1)).toEqual(
      randomTemplates(MODEL, LAYOUT, 1),
    );
  });
});

describe('randomScalers', () => {
  it('fills every scaler; the seed decides, save for norm scales', () => {
    const scalers = randomScalers(MODEL, LAYOUT, 1);
    expect(new Map([...scalers].map(([name, { length }]) => [name, length]))).toEqual(
      new Map([...scalerShapes(MODEL, LAYOUT)].map(([name, shape]) => [name, shape.reduce((a, b) => a * b, 1)])),
    );
    expect(randomScalers(MODEL, LAYOUT, 1)).toEqual(scalers);
    for (const [name, values] of randomScalers(MODEL, LAYOUT, 2)) {
      if (isNormScale(name)) expect(values).toEqual(scalers.get(name));
      else expect(values).not.toEqual(scalers.get(name));
    }
  });

  it('is normal of deviation 1 / sqrt(count); `1 / count` for norm scales', () => {
    const scalers = randomScalers(MODEL, LAYOUT, 4);
    for (const { kind, count } of kindShapes(MODEL, LAYOUT)) {
      const values = scalers.get(SCALERS + kind.name) as Float32Array;
      const { mean, deviation } = moments(values);
      const expected = isNormScale(kind.name) ? 0 : 1 / Math.sqrt(count);
      expect(Math.abs(deviation - expected), kind.name).toBeLessThanOrEqual(error(values.length, expected));
      expect(Math.abs(mean - (isNormScale(kind.name) ? 1 / count : 0)), kind.name).toBeLessThanOrEqual(
        error(values.length, expected),
      );
    }
  });

  it.each(Object.keys(VARIANTS))('makes weights of deviation 0.02 and norm scales near 1: %s', (variant) => {
    for (const kronecker of CONVENTIONS) {
      const model = vit(3, 48, 3, { ...VARIANTS[variant], hidden: 192 });
      const layout = layoutOf(16, { kronecker, count: 8, small_count: 4 });
      const values = new Map([...randomTemplates(model, layout, 5), ...randomScalers(model, layout, 5)]);
      for (const [name, weight] of materialiseValues(model, layout, values)) {
        const { mean, deviation } = moments(weight);
        if (isNormScale(name)) {
          expect(Math.max(...weight.map((x) => Math.abs(x - 1))), name).toBeLessThan(0.05);
        } else if (/(qkv|proj|fc1|fc2)\.weight$/.test(name) && name.startsWith('blocks')) {
          // 72 scalers or more decide a matrix, so its deviation is within a fifth or two of the stated one.
          expect(deviation, name).toBeGreaterThan(0.02 * 0.6);
          expect(deviation, name).toBeLessThan(0.02 * 1.4);
          expect(Math.abs(mean), name).toBeLessThan(0.002);
        }
      }
    }
  });

  it('takes the root mean square of each kind from other scalers, and the mean of each template for norm scales', () => {
    const auxiliary = vit(2, 32, 2);
    const given = valuesOf(
      parts(auxiliary, LAYOUT, pureTemplates, ({ kind, layers, count, scaler }) =>
        isNormScale(kind.name)
          ? Float32Array.from({ length: layers * count * 2 }, (_, i) => (Math.floor(i / 2) % count) + (i % 2))
          : pure.uniform(kind.name, layers * count * scaler.reduce((a, b) => a * b, 1), { centre: 0.3, scale: 0.7 }),
      ),
    );
    const made = randomScalers(MODEL, LAYOUT, 6, { model: auxiliary, values: given });
    for (const { kind, count } of kindShapes(MODEL, LAYOUT)) {
      const [own, like] = [made, given].map((values) => values.get(SCALERS + kind.name) as Float32Array);
      if (isNormScale(kind.name)) {
        expect([...own]).toEqual(Array.from(own, (_, i) => (Math.floor(i / 4) % count) + 0.5));
      } else {
        const size = Math.sqrt(like.reduce((sum, x) => sum + x * x, 0) / like.length);
        expect(Math.abs(moments(own).deviation - size), kind.name).toBeLessThan(error(own.length, size));
        expect(Math.abs(moments(own).mean), kind.name).toBeLessThan(error(own.length, size));
      }
    }
  });
});
