/**
 * The kernels beside plain loops, for sizes that do not fill vectors: one pixel, odd rows, more after less and less after
 * more. What the loops compute is what augment/ops.test.ts has from Pillow.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { color, contrast, sharpness } from '#wave/data/augment/enhance.js';
import { replaceValues } from '#wave/data/augment/tables.js';
import { type Affine, warp } from '#wave/data/augment/warp.js';
import type { Picture } from '#wave/data/picture.js';
import { drawFrom } from '../jpeg/support.js';

const seed = 1;
const numRuns = 400;

const side = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constantFrom(8, 15, 16, 17, 31, 40));
const pictures = (channels: fc.Arbitrary<number>): fc.Arbitrary<Picture> =>
  fc.tuple(side, side, channels, fc.nat(), fc.boolean()).map(([height, width, depth, from, isExtreme]) => {
    const draw = drawFrom(from);
    const value = isExtreme ? () => 255 * draw(2) : () => draw(256);
    return { data: Uint8Array.from({ length: height * width * depth }, value), height, width, channels: depth };
  });
const colours = pictures(fc.constant(3));
const anyPicture = pictures(fc.constantFrom(1, 2, 3, 4));
const factor = fc.oneof(fc.double({ min: 0, max: 3, noNaN: true }), fc.constantFrom(0, 1, 0.1, 1.9));

const copyOf = (picture: Picture): Picture => ({ ...picture, data: picture.data.slice() });
const greyAt = (data: Uint8Array, i: number) =>
  (data[i] * 19_595 + data[i + 1] * 38_470 + data[i + 2] * 7471 + 0x8000) >> 16;

/** Pillow's blend of two values. */
function mixed(plain: number, value: number, share: number): number {
  return Math.trunc(Math.min(255, Math.max(0, Math.fround(plain + Math.fround(Math.fround(share) * (value - plain))))));
}

describe('the kernel of values', () => {
  it('replaces by one table, or by one for each channel', () => {
    fc.assert(
      fc.property(anyPicture, fc.boolean(), fc.nat(), (picture, isShared, from) => {
        const draw = drawFrom(from);
        const { channels } = picture;
        const table = Uint8Array.from({ length: isShared ? 256 : 256 * channels }, () => draw(256));
        const expected = picture.data.map((value, i) => table[(isShared ? 0 : (i % channels) * 256) + value]);
        const found = copyOf(picture);
        replaceValues(found, table);
        expect(Buffer.compare(found.data, expected)).toBe(0);
      }),
      { numRuns, seed },
    );
  });

  it('mixes with grey', () => {
    fc.assert(
      fc.property(colours, factor, (picture, share) => {
        const expected = picture.data.map((value, i, data) => mixed(greyAt(data, i - (i % 3)), value, share));
        const found = copyOf(picture);
        color(found, share);
        expect(Buffer.compare(found.data, expected)).toBe(0);
      }),
      { numRuns, seed },
    );
  });

  it('mixes with the mean of grey', () => {
    fc.assert(
      fc.property(colours, factor, (picture, share) => {
        const { data, height, width } = picture;
        let sum = 0;
        for (let i = 0; i < data.length; i += 3) sum += greyAt(data, i);
        const mean = Math.trunc(sum / (height * width) + 0.5);
        const found = copyOf(picture);
        contrast(found, share);
        expect(
          Buffer.compare(
            found.data,
            data.map((value) => mixed(mean, value, share)),
          ),
        ).toBe(0);
      }),
      { numRuns, seed },
    );
  });

  it('takes the mean of white where the sum needs more than 31 bits', () => {
    const [height, width] = [3000, 2901];
    const white = { data: new Uint8Array(height * width * 3).fill(255), height, width, channels: 3 };
    contrast(white, 0);
    expect(white.data.every((value) => value === 255)).toBe(true);
  });

  it('mixes with the smoothed picture, and leaves the border', () => {
    fc.assert(
      fc.property(anyPicture, factor, (picture, share) => {
        const { data, height, width, channels } = picture;
        const row = width * channels;
        const expected = data.map((value, i) => {
          const [x, y] = [Math.floor((i % row) / channels), Math.floor(i / row)];
          if (x === 0 || y === 0 || x === width - 1 || y === height - 1) return value;
          let sum = 4 * value;
          for (const down of [-row, 0, row]) for (const across of [-1, 0, 1]) sum += data[i + down + across * channels];
          return mixed(Math.trunc(sum / 13 + 0.5), value, share);
        });
        const found = copyOf(picture);
        sharpness(found, share);
        expect(Buffer.compare(found.data, expected)).toBe(0);
      }),
      { numRuns, seed },
    );
  });
});

describe('the kernel of maps', () => {
  const slope = fc.double({ min: -1.5, max: 1.5, noNaN: true });
  const shift = fc.oneof(fc.double({ min: -9, max: 9, noNaN: true }), fc.integer({ min: -3, max: 3 }));
  const maps: fc.Arbitrary<Affine> = fc.oneof(
    fc.tuple(slope, slope, shift, slope, slope, shift),
    // Rows stay in their place, then columns.
    fc.tuple(slope, slope, shift).map(([a, b, c]): Affine => [a, b, c, 0, 1, 0]),
    fc.tuple(slope, slope, shift).map(([d, e, f]): Affine => [1, 0, 0, d, e, f]),
    fc.tuple(slope, shift, shift).map(([b, c, f]): Affine => [1, b, c, 0, 1, f]),
    fc.tuple(slope, shift, shift).map(([d, c, f]): Affine => [1, 0, c, d, 1, f]),
    fc.constant<Affine>([1, 0, 0, 0, 1, 0]),
  );

  it.each(['bilinear', 'bicubic'] as const)('gives each channel what a grey picture of it gives: %s', (filter) => {
    fc.assert(
      fc.property(
        colours,
        maps,
        fc.array(fc.nat({ max: 255 }), { minLength: 3, maxLength: 3 }),
        (picture, map, fill) => {
          const { height, width } = picture;
          const found = warp(picture, map, { filter, fill });
          expect(found).toMatchObject({ height, width, channels: 3 });
          for (let c = 0; c < 3; c++) {
            const of = ({ data }: Picture) => data.filter((_, i) => i % 3 === c);
            const plane = { data: of(picture), height, width, channels: 1 };
            const { data } = warp(plane, map, { filter, fill: [fill[c]] });
            expect(Buffer.compare(of(found), data)).toBe(0);
          }
        },
      ),
      { numRuns, seed },
    );
  });
});
