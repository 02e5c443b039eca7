import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ModelError } from '#wave/base/errors.js';
import { type Change, defineMethod } from '#wave/init/method.js';
import { planTarget, resized } from '#wave/init/target.js';
import { ANCESTOR, ancestorInputs, bankInputs } from './support.js';

const method = (depth: Change, width: Change) =>
  defineMethod({
    needs: 'ancestor',
    depth,
    width,
    options: z.strictObject({}),
    paper: { title: 'T', venue: 'V', url: 'https://example.org' },
    start: () => ({ fill: () => {}, transferred: 0 }),
  });

describe('resized', () => {
  it('keeps head size and MLP ratio and everything that is not a size', () => {
    expect(resized(ANCESTOR, { depth: 7, width: 16 })).toEqual({
      ...ANCESTOR,
      depth: 7,
      width: 16,
      heads: 4,
      hidden: 64,
    });
  });

  it('takes heads that are given', () => {
    expect(resized(ANCESTOR, { depth: 1, width: 18, heads: 3 })).toMatchObject({ heads: 3, hidden: 72 });
  });

  it('rounds the MLP of a ratio that is not whole', () => {
    const model = { ...ANCESTOR, hidden: 25 };
    expect(resized(model, { depth: 1, width: 4 }).hidden).toBe(4);
    expect(resized({ ...ANCESTOR, hidden: 1 }, { depth: 1, width: 4 }).hidden).toBe(1);
  });

  it('names the nearest widths that hold whole heads', () => {
    const nearest = (width: number) => () => resized(ANCESTOR, { depth: 1, width });
    expect(nearest(18)).toThrow(
      new ModelError(
        'width 18 is no multiple of the head size 4 (or give the heads); the nearest valid widths are 16 and 20',
      ),
    );
    expect(nearest(3)).toThrow(/the nearest valid widths are 4$/);
  });

  it('refuses heads that do not divide the width', () => {
    expect(() => resized(ANCESTOR, { depth: 1, width: 16, heads: 3 })).toThrow(
      new ModelError('heads 3 does not divide width 16; the head size so far is 4'),
    );
  });
});

describe('planTarget', () => {
  const plan = (depth: Change, width: Change, size: { depth: number; width: number }) =>
    planTarget('some-method', method(depth, width), ancestorInputs(), size);

  it.each([
    ['shrink', 3, 24, undefined],
    ['shrink', 4, 24, 'depth 4: some-method makes at most depth 3'],
    ['shrink', 3, 28, 'width 28: some-method makes at most width 24'],
    ['grow', 3, 24, undefined],
    ['grow', 2, 24, 'depth 2: some-method makes at least depth 3'],
    ['grow', 3, 20, 'width 20: some-method makes at least width 24'],
    ['keep', 3, 24, undefined],
    ['keep', 2, 24, 'depth 2: some-method makes exactly depth 3'],
    ['keep', 3, 28, 'width 28: some-method makes exactly width 24'],
    ['any', 9, 4, undefined],
  ] as const)('a method that can %s makes depth %i and width %i or says why not', (change, depth, width, problem) => {
    if (problem === undefined) {
      expect(plan(change, change, { depth, width })).toMatchObject({ depth, width });
    } else {
      const whole = `${problem}, that of the ancestor; choose another size or method`;
      expect(() => plan(change, change, { depth, width })).toThrow(new ModelError(whole));
    }
  });

  it('does not compare with a model that only says what the images are', () => {
    const size = { depth: 20, width: 400 };
    expect(planTarget('m', method('shrink', 'shrink'), { need: 'nothing', model: ANCESTOR }, size)).toMatchObject(size);
  });

  it('asks the bank which widths it can make', () => {
    const inputs = bankInputs();
    expect(planTarget('m', method('any', 'any'), inputs, { depth: 5, width: 32 })).toMatchObject({
      width: 32,
      heads: 8,
      hidden: 128,
    });
    expect(() => planTarget('m', method('any', 'any'), inputs, { depth: 5, width: 30 })).toThrow(
      /nearest valid widths are 24 and 32$/,
    );
  });

  it.each([
    [{ depth: 0, width: 8 }, 'depth must be a whole number of at least 1, found 0'],
    [{ depth: 1, width: 8.5 }, 'width must be a whole number of at least 1, found 8.5'],
    [{ depth: 1e9, width: 8 }, 'depth must be at most 1024, found 1000000000'],
    [{ depth: 1, width: 8, heads: -1 }, 'heads must be a whole number of at least 1, found -1'],
  ])('refuses %j', (size, message) => {
    expect(() => planTarget('m', method('any', 'any'), ancestorInputs(), size)).toThrow(new ModelError(message));
  });
});
