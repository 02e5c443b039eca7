import { describe, expect, it } from 'vitest';
import { evenlySpaced, inEachGroup, select } from '#wave/init/selection.js';

describe('evenlySpaced', () => {
  it('takes every step-th position where the step is whole', () => {
    expect([...evenlySpaced(12, 4)]).toEqual([0, 3, 6, 9]);
    expect([...evenlySpaced(12, 1)]).toEqual([0]);
  });

  it('keeps everything where nothing has to go', () => {
    expect([...evenlySpaced(5, 5)]).toEqual([0, 1, 2, 3, 4]);
  });

  it('goes from the first to the last position otherwise', () => {
    expect([...evenlySpaced(5, 3)]).toEqual([0, 2, 4]);
    // round(i * 6 / 4): 0, 1.5, 3, 4.5, 6, halves upwards.
    expect([...evenlySpaced(7, 5)]).toEqual([0, 2, 3, 5, 6]);
  });

  it('gives different positions in range, in order, up to the largest models', () => {
    for (let from = 1; from <= 60; from++) {
      for (let count = 1; count <= from; count++) {
        const kept = [...evenlySpaced(from, count)];
        expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
        expect(kept.every((position) => position >= 0 && position < from)).toBe(true);
      }
    }
    expect(evenlySpaced(4 * 16_384, 4 * 11_111).at(-1)).toBe(4 * 16_384 - 1);
  });
});

it('inEachGroup repeats the positions in every part', () => {
  expect([...inEachGroup(Int32Array.of(0, 2), 3, 4)]).toEqual([0, 2, 4, 6, 8, 10]);
});

describe('select', () => {
  const values = Float32Array.from({ length: 24 }, (_, i) => i);
  const selected = (shape: number[], kept: (number[] | undefined)[], length: number) => {
    const out = new Float32Array(length);
    const positions = kept.map((own) => own && Int32Array.from(own));
    select(values, shape, positions, out);
    return [...out];
  };

  it('takes the product of what is kept on each axis', () => {
    expect(
      selected(
        [4, 6],
        [
          [1, 3],
          [0, 5],
        ],
        4,
      ),
    ).toEqual([6, 11, 18, 23]);
    expect(selected([2, 3, 4], [[1], undefined, [0, 2]], 6)).toEqual([12, 14, 16, 18, 20, 22]);
  });

  it('copies whole rows where the last axis stays', () => {
    expect(selected([6, 2, 2], [[0, 4], undefined, undefined], 8)).toEqual([0, 1, 2, 3, 16, 17, 18, 19]);
    expect(selected([24], [[23, 1]], 2)).toEqual([23, 1]);
  });
});
