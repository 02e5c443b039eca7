import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { parseRandAugment } from '#wave/config/index.js';

const USUAL = { magnitude: 10, layers: 2, probability: 0.5, deviation: 0, limit: 10, increasing: false };

describe('parseRandAugment', () => {
  it.each([
    ['rand', {}],
    ['rand-m9-mstd0.5-inc1', { magnitude: 9, deviation: 0.5, increasing: true }],
    ['rand-inc0-n3-m7', { magnitude: 7, layers: 3 }],
    ['rand-p0.75-mmax20-m15', { magnitude: 15, limit: 20, probability: 0.75 }],
    ['rand-mstd101', { deviation: Number.POSITIVE_INFINITY }],
    ['rand-mstd100', { deviation: 100 }],
  ])('reads %s', (text, parts) => {
    expect(parseRandAugment(text)).toEqual({ ...USUAL, ...parts });
  });

  it.each([
    [
      'augmix-m5',
      /^"augmix-m5": only RandAugment is known, which begins with rand-; an example: rand-m9-mstd0\.5-inc1$/,
    ],
    ['original', /only RandAugment is known/],
    ['', /only RandAugment is known/],
    ['rand-tweights', /section "tweights": other sets of changes are not known/],
    ['rand-w0', /section "w0" is none of m, n, p, mstd, mmax, inc;/],
    ['rand-', /section "" is none of/],
    ['rand-m9-m8', /section m is given twice/],
    ['rand-m9.5', /section m takes a whole number of 0 to 100;/],
    ['rand-m', /section m takes a whole number of 0 to 100;/],
    ['rand-m1e9', /section m takes/],
    ['rand-n0', /section n takes a whole number of 1 to 100;/],
    ['rand-p1.5', /section p takes a number of 0 to 1;/],
    ['rand-inc2', /section inc takes a whole number of 0 to 1;/],
    ['rand-mstdinf', /section "mstdinf" is none of/],
    ['rand-mstd0.5x', /section mstd takes a number of at least 0;/],
    ['rand-M9', /section "M9" is none of/],
  ])('refuses %j in one line', (text, message) => {
    const attempt = () => parseRandAugment(text);
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(message);
  });
});
