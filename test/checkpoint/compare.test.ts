/** Tensors compared value by value: wide types, what is not finite, slices and joined parts. */
import { describe, expect, it } from 'vitest';
import { comparable, compareTensors, pieces } from '#wave/checkpoint/compare.js';
import { Difference } from '#wave/checkpoint/difference.js';
import {
  type Dtype,
  type NumberArray,
  parseSafetensors,
  type SafetensorsReader,
  serializeSafetensors,
} from '#wave/checkpoint/index.js';

type Tensors = Record<string, readonly [dtype: Dtype, shape: readonly number[], values: NumberArray]>;

function open(tensors: Tensors): SafetensorsReader {
  const inputs = Object.entries(tensors).map(([name, [dtype, shape, values]]) => {
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return [name, { dtype, shape, data }] as const;
  });
  return parseSafetensors(serializeSafetensors(inputs), 'sample.safetensors');
}

function difference(a: NumberArray, b: NumberArray): Difference {
  const found = new Difference();
  found.add(a, b);
  return found;
}

/** 0, 1, 2, ... */
const counting = (length: number) => Float32Array.from({ length }, (_, i) => i);

describe('a difference', () => {
  it('has the largest, the number of unequal places and the norms of A and of the difference', () => {
    const found = difference(Float64Array.of(3, 4, 0), Float64Array.of(3, 4.5, -0));
    expect(found).toMatchObject({ count: 3, unequal: 1, largest: 0.5, squares: 0.25, firstSquares: 25, notFinite: 0 });
    expect(found.relative).toBeCloseTo(0.1, 12);
  });

  it('is relative to the first, and has no ratio where that is all zeros', () => {
    expect(difference(Float32Array.of(2), Float32Array.of(1)).relative).toBe(0.5);
    expect(difference(Float32Array.of(1), Float32Array.of(2)).relative).toBe(1);
    expect(difference(Float32Array.of(0), Float32Array.of(2)).relative).toBeNull();
    expect(difference(Float32Array.of(0), Float32Array.of(0)).relative).toBe(0);
  });

  it('takes NaN for equal to NaN, and an infinity for equal to itself', () => {
    const values = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1);
    expect(difference(values, values)).toMatchObject({ unequal: 0, notFinite: 0, bothNaN: 1, firstSquares: 1 });
  });

  it.each([
    ['NaN and a number', Number.NaN, 1],
    ['a number and NaN', 1, Number.NaN],
    ['an infinity and a number', Number.POSITIVE_INFINITY, 1],
    ['two infinities', Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ['NaN and an infinity', Number.NaN, Number.POSITIVE_INFINITY],
    ['numbers too far apart', Number.MAX_VALUE, -Number.MAX_VALUE],
  ])('counts %s, and leaves them out of the numbers', (_, a, b) => {
    const found = difference(Float64Array.of(a, 3), Float64Array.of(b, 3));
    expect(found).toMatchObject({ unequal: 1, notFinite: 1, bothNaN: 0, largest: 0, squares: 0, firstSquares: 9 });
    expect(found.relative).toBe(0);
  });

  it('of 64-bit integers is exact, where float64 would round it away', () => {
    const big = 2n ** 60n;
    expect(Number(big)).toBe(Number(big + 1n));
    expect(difference(BigInt64Array.of(big), BigInt64Array.of(big + 1n))).toMatchObject({ unequal: 1, largest: 1 });
    expect(difference(BigUint64Array.of(0n), BigUint64Array.of(2n ** 64n - 1n)).largest).toBe(2 ** 64);
    expect(difference(BigInt64Array.of(7n), Float32Array.of(7.5)).largest).toBe(0.5);
  });

  it('of float64 is not rounded to float32', () => {
    expect(difference(Float64Array.of(1), Float64Array.of(1 + 2 ** -40)).largest).toBe(2 ** -40);
  });

  it('of a sum beyond float64 has no ratio', () => {
    expect(difference(Float64Array.of(1e200), Float64Array.of(2e200))).toMatchObject({
      largest: 1e200,
      relative: null,
    });
  });

  it('of lists of different lengths is a bug of the caller', () => {
    expect(() => difference(Float32Array.of(1), Float32Array.of(1, 2))).toThrow(RangeError);
  });
});

describe('pieces', () => {
  it.each([
    [[], 4],
    [[3], 4],
    [[9], 4],
    [[5, 3], 4],
    [[2, 3, 7], 4],
    [[2, 3, 7], 8],
    [[4, 1, 1, 2], 1],
  ])('of shape [%s], at most %i values each, cover it once and in order', async (shape, most) => {
    const total = shape.reduce((product, size) => product * size, 1);
    const reader = open({ x: ['F32', shape, counting(total)] });
    const read: number[] = [];
    for (const slices of pieces(shape, most)) {
      const values = await reader.readFloat32('x', slices);
      expect(values.length).toBeLessThanOrEqual(most);
      read.push(...values);
    }
    expect(read).toEqual([...counting(total)]);
  });

  it('of an empty tensor are none', () => {
    expect([...pieces([0], 4), ...pieces([3, 0], 4)]).toEqual([]);
  });
});

describe('tensors', () => {
  it.each([1, 2, 5, 1000])('are the same joined of parts or whole, %i values at a time', async (most) => {
    const whole = counting(24);
    whole[13] += 0.25;
    const a = { reader: open({ x: ['F32', [6, 4], whole] }), parts: [{ tensor: 'x' }], shape: [6, 4] };
    const part = (i: number) => counting(24).subarray(8 * i, 8 * i + 8);
    const reader = open({ q: ['F32', [2, 4], part(0)], k: ['F32', [2, 4], part(1)], v: ['F32', [2, 4], part(2)] });
    const b = { reader, parts: ['q', 'k', 'v'].map((tensor) => ({ tensor })), shape: [6, 4] };
    for (const found of [await compareTensors(a, b, most), await compareTensors(b, a, most)]) {
      expect(found).toMatchObject({ count: 24, unequal: 1, largest: 0.25 });
    }
  });

  it('have zeros where a part is not there', async () => {
    const a = { reader: open({ x: ['F32', [4], Float32Array.of(1, 2, 0, 3)] }), parts: [{ tensor: 'x' }], shape: [4] };
    const b = { reader: open({ y: ['F32', [2], Float32Array.of(1, 2)] }), parts: [{ tensor: 'y' }, {}], shape: [4] };
    for (const most of [1, 8]) expect(await compareTensors(a, b, most)).toMatchObject({ unequal: 1, largest: 3 });
  });

  it('of other types are compared as the numbers that they are', async () => {
    const half = Uint16Array.of(0x3c00, 0x3555); // 1 and 0.333251953125
    const a = { reader: open({ x: ['F16', [2], half] }), parts: [{ tensor: 'x' }], shape: [2] };
    const b = { reader: open({ x: ['F64', [2], Float64Array.of(1, 1 / 3)] }), parts: [{ tensor: 'x' }], shape: [2] };
    expect((await compareTensors(a, b)).largest).toBeCloseTo(1 / 3 - 0.333251953125, 15);
  });

  it('without numbers are told apart from those that have them', () => {
    const reader = open({ x: ['F8_E4M3', [2], Uint8Array.of(1, 2)], y: ['BOOL', [2], Uint8Array.of(0, 1)] });
    const of = (...names: string[]) => ({ reader, parts: names.map((tensor) => ({ tensor })), shape: [2] });
    expect([comparable(of('x')), comparable(of('y')), comparable(of('y', 'x'))]).toEqual([false, true, false]);
  });
});
