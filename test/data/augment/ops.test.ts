import { describe, expect, it } from 'vitest';
import type { Rng } from '#wave/base/rng.js';
import { mirror, pictureFrom } from '#wave/data/augment/arrange.js';
import { applyJitter } from '#wave/data/augment/color-jitter.js';
import { applyOp, argumentOf, INCREASING_OPS, PLAIN_OPS } from '#wave/data/augment/ops.js';
import { colourPicture, compare, golden, greyPicture, results } from './golden.js';

const nameOf = ({ op, argument, filter, grey, factors }: (typeof results)[number]) =>
  [op ?? `jitter ${factors}`, argument, filter, grey ? 'grey' : ''].filter((part) => part !== '').join(' ');

describe('changes of pictures', () => {
  it.each(results.map((one) => [nameOf(one), one] as const))('gives what Pillow gives: %s', (_name, one) => {
    const picture = one.grey ? greyPicture() : colourPicture();
    const { op, argument = 0, filter = 'bicubic', factors = [], order = [] } = one;
    if (!op) applyJitter(picture, { factors, order: Uint8Array.from(order) });
    const found = op ? applyOp(op, picture, argument, { filter, fill: golden.fill }) : picture;
    expect(found).toMatchObject({ height: golden.height, width: golden.width, channels: picture.channels });
    expect(compare(found, one.expected)).toEqual({ most: 0, share: 0 });
  });

  it('covers every change, and the comparison tells one level', () => {
    const covered = new Set(results.map(({ op }) => op));
    const missing = [...PLAIN_OPS, ...INCREASING_OPS].filter((name) => !covered.has(name));
    // The increasing ones do the same as the plain ones; only their arguments differ.
    expect(missing.every((name) => name.endsWith('Increasing'))).toBe(true);
    const one = colourPicture();
    one.data[5] += 1;
    expect(compare(one, colourPicture())).toEqual({ most: 1, share: 1 / one.data.length });
  });

  it('blackens a picture of no bits', () => {
    for (const bits of [0, -3]) {
      const black = applyOp('PosterizeIncreasing', colourPicture(), bits, { filter: 'bicubic', fill: golden.fill });
      expect(Math.max(...black.data)).toBe(0);
    }
  });

  it('leaves a picture of one value to stretching and spreading as it is', () => {
    const flat = { ...greyPicture(), data: new Uint8Array(golden.height * golden.width).fill(77) };
    for (const name of ['AutoContrast', 'Equalize'] as const) {
      const { data } = applyOp(name, { ...flat, data: flat.data.slice() }, 0, { filter: 'bicubic', fill: [0] });
      expect(data).toEqual(flat.data);
    }
  });
});

describe('argumentOf', () => {
  const coin = (side: number) => ({ int: () => side }) as unknown as Rng;

  it.each(golden.levels.map((one) => [`${one.op} at ${one.level}`, one] as const))('follows timm: %s', (_name, one) => {
    const found = [argumentOf(one.op, one.level, coin(0)), argumentOf(one.op, one.level, coin(1))];
    // A zero with a sign is as good as one without.
    expect([...new Set(found.map((value) => value + 0))]).toEqual([
      ...new Set(one.arguments.map((value) => value + 0)),
    ]);
  });

  it('has the sets of timm', () => {
    expect(PLAIN_OPS).toEqual(golden.sets.plain);
    expect(INCREASING_OPS).toEqual(golden.sets.increasing);
  });
});

describe('pictureFrom', () => {
  const raw = { channels: 2, height: 2, width: 3 };
  const planes = Uint8Array.from([1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]);

  it('puts channels innermost, shifted with black and mirrored', () => {
    expect([...pictureFrom(planes, raw, { top: 0, left: 0, flip: false }).data]).toEqual([
      1, 11, 2, 12, 3, 13, 4, 14, 5, 15, 6, 16,
    ]);
    expect([...pictureFrom(planes, raw, { top: 1, left: -1, flip: true }).data]).toEqual([
      5, 15, 4, 14, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });

  it('is mirrored in place by mirror', () => {
    const picture = pictureFrom(planes, raw, { top: 0, left: 0, flip: false });
    mirror(picture);
    expect(picture.data).toEqual(pictureFrom(planes, raw, { top: 0, left: 0, flip: true }).data);
  });
});
