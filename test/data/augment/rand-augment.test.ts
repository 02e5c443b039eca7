import { describe, expect, it } from 'vitest';
import { createRng } from '#wave/base/rng.js';
import { parseRandAugment } from '#wave/config/index.js';
import { applyJitter, drawJitter } from '#wave/data/augment/color-jitter.js';
import { INCREASING_OPS, PLAIN_OPS } from '#wave/data/augment/ops.js';
import { applyRandAugment, type DrawnOp, drawRandAugment, type RandAugment } from '#wave/data/augment/rand-augment.js';
import { colourPicture } from './golden.js';

const DRAWS = 20_000;

function draws(text: string, filter: RandAugment['filter'] = 'bicubic'): DrawnOp[][] {
  const settings = { ...parseRandAugment(text), filter, fill: [1, 2, 3] };
  return Array.from({ length: DRAWS }, (_, i) => drawRandAugment(settings, createRng(3, 'test', i)));
}

/** Whether a count is within four standard deviations of that of independent trials. */
function expectCount(count: number, trials: number, probability: number): void {
  const deviation = Math.sqrt(trials * probability * (1 - probability));
  expect(Math.abs(count - trials * probability)).toBeLessThan(4 * deviation);
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('drawRandAugment', () => {
  const usual = draws('rand-m9-mstd0.5-inc1');
  const flat = usual.flat();
  const argumentsOf = (drawn: readonly DrawnOp[], name: DrawnOp['name']) =>
    drawn.filter((one) => one.name === name).map(({ argument }) => argument);

  it('makes each of two changes with probability 1/2, all of the set equally often', () => {
    for (const [made, probability] of [0.25, 0.5, 0.25].entries()) {
      expectCount(usual.filter(({ length }) => length === made).length, DRAWS, probability);
    }
    for (const name of INCREASING_OPS) expectCount(argumentsOf(flat, name).length, 2 * DRAWS, 0.5 / 15);
    expect(new Set(flat.map(({ name }) => name)).size).toBe(15);
    // With replacement, as in timm.
    const pairs = usual.filter(({ length }) => length === 2);
    expectCount(pairs.filter(([a, b]) => a.name === b.name).length, pairs.length, 1 / 15);
  });

  it('draws strengths from the normal distribution, cut off at 10, with both signs', () => {
    const degrees = argumentsOf(flat, 'Rotate');
    expectCount(degrees.filter((value) => value > 0).length, degrees.length, 0.5);
    const levels = degrees.map((value) => Math.abs(value) / 3);
    expect(Math.max(...levels)).toBe(10);
    // Two deviations above the mean.
    expectCount(levels.filter((level) => level === 10).length, levels.length, 0.02275);
    expectCount(levels.filter((level) => level < 9).length, levels.length, 0.5);
    expectCount(levels.filter((level) => level < 8.5).length, levels.length, 0.15866);
  });

  it('gives factors on both sides of 1, never below 0.1', () => {
    const factors = argumentsOf(flat, 'SharpnessIncreasing');
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.1);
    expect(Math.max(...factors)).toBeCloseTo(1.9, 12);
    expectCount(factors.filter((factor) => factor < 1).length, factors.length, 0.5);
    expect(mean(factors.map((factor) => Math.abs(factor - 1)))).toBeCloseTo(0.81, 1);
  });

  it('takes the strength as it is without a deviation, and uniform with an endless one', () => {
    const fixed = draws('rand-m5-n1-p1');
    expect(fixed.every(({ length }) => length === 1)).toBe(true);
    expect(new Set(argumentsOf(fixed.flat(), 'ShearX').map(Math.abs))).toEqual(new Set([0.15]));
    expect(new Set(fixed.flat().map(({ name }) => name))).toEqual(new Set(PLAIN_OPS));
    const uniform = argumentsOf(draws('rand-m10-mstd101-p1').flat(), 'TranslateYRel').map(
      (value) => Math.abs(value) / 0.45,
    );
    for (const share of [0.1, 0.5, 0.9]) {
      expectCount(uniform.filter((value) => value < share).length, uniform.length, share);
    }
  });

  it('goes beyond 10 only if mmax says so', () => {
    expect(new Set(argumentsOf(draws('rand-m15').flat(), 'Rotate').map(Math.abs))).toEqual(new Set([30]));
    expect(new Set(argumentsOf(draws('rand-m15-mmax20').flat(), 'Rotate').map(Math.abs))).toEqual(new Set([45]));
  });

  it('draws the filter anew for every change, if asked to', () => {
    const filters = draws('rand-m9', 'random')
      .flat()
      .map(({ filter }) => filter);
    expectCount(filters.filter((filter) => filter === 'bilinear').length, filters.length, 0.5);
    expect(new Set(filters)).toEqual(new Set(['bilinear', 'bicubic']));
    expect(new Set(flat.map(({ filter }) => filter))).toEqual(new Set(['bicubic']));
  });

  it('is made in order', () => {
    const around = { filter: 'bicubic' } as const;
    const [posterize, invert] = [
      { name: 'Posterize', argument: 1, ...around },
      { name: 'Invert', argument: 0, ...around },
    ] as const;
    const first = applyRandAugment(colourPicture(), [posterize, invert], []);
    const second = applyRandAugment(colourPicture(), [invert, posterize], []);
    expect(new Set(first.data)).toEqual(new Set([127, 255]));
    expect(new Set(second.data)).toEqual(new Set([0, 128]));
  });
});

describe('drawJitter', () => {
  const jitters = Array.from({ length: DRAWS }, (_, i) => drawJitter(0.4, createRng(1, 'test', i)));

  it('draws three factors uniformly around 1, and any order', () => {
    for (const which of [0, 1, 2]) {
      const factors = jitters.map(({ factors }) => factors[which]);
      for (const share of [0.05, 0.5, 0.95]) {
        expectCount(factors.filter((factor) => factor < 0.6 + 0.8 * share).length, DRAWS, share);
      }
      expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.6);
      expect(Math.max(...factors)).toBeLessThan(1.4);
    }
    for (const order of ['0,1,2', '0,2,1', '1,0,2', '1,2,0', '2,0,1', '2,1,0']) {
      expectCount(jitters.filter((one) => one.order.join() === order).length, DRAWS, 1 / 6);
    }
  });

  it('never goes below 0', () => {
    const factors = Array.from({ length: 1000 }, (_, i) => drawJitter(2, createRng(1, 'test', i)).factors).flat();
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...factors)).toBeGreaterThan(2.9);
  });

  it('depends on the order', () => {
    const factors = [1.4, 0.6, 1.2];
    const [one, other] = [colourPicture(), colourPicture()];
    applyJitter(one, { factors, order: Uint8Array.of(0, 1, 2) });
    applyJitter(other, { factors, order: Uint8Array.of(1, 0, 2) });
    expect(one.data).not.toEqual(other.data);
  });
});
