import { describe, expect, it } from 'vitest';
import { littleEndianBytes, swapToHost } from '#wave/checkpoint/byte-order.js';
import { roundToBf16, roundToF16, widenBf16, widenF16 } from '#wave/checkpoint/half.js';

const ALL_BITS = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);

function widened(widen: typeof widenF16): Float32Array {
  const out = new Float32Array(ALL_BITS.length);
  widen(ALL_BITS, out, 0);
  return out;
}

describe.each([
  ['F16', widenF16, roundToF16],
  ['BF16', widenBf16, roundToBf16],
] as const)('%s', (_, widen, round) => {
  it('gives every bit pattern back after widening and rounding, NaN apart', () => {
    const values = widened(widen);
    const back = round(values);
    const isNan = (bits: number) => Number.isNaN(values[bits]);
    const wrong = [...ALL_BITS].filter((bits) => (isNan(bits) ? !isNan(back[bits]) : back[bits] !== bits));
    expect(wrong).toEqual([]);
  });

  it('rounds halfway to the even neighbour and everything else to the nearest', () => {
    const values = widened(widen);
    // Positive finite values grow with their bit pattern.
    for (let bits = 0; Number.isFinite(values[bits + 1]); bits += 7) {
      const low = values[bits];
      const high = values[bits + 1];
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const near = [Math.fround(low + (high - low) / 4), Math.fround(low + ((high - low) * 3) / 4)];
      expect([...round(new Float32Array([middle, ...near]))]).toEqual([even, bits, bits + 1]);
    }
  });

  it('keeps signs, infinities and NaN', () => {
    const back = new Float32Array(6);
    widen(round(new Float32Array([0, -0, Infinity, -Infinity, Number.NaN, -1])), back, 0);
    expect([...back]).toEqual([0, -0, Infinity, -Infinity, Number.NaN, -1]);
  });
});

describe('limits of F16', () => {
  it('rounds 65519 down to the largest number and 65520 up to infinity', () => {
    expect([...roundToF16(new Float32Array([65519, 65520, -65520, 1e30]))]).toEqual([0x7bff, 0x7c00, 0xfc00, 0x7c00]);
  });

  it('rounds below half of the smallest number to zero with its sign', () => {
    expect([...roundToF16(new Float32Array([2 ** -25, 2 ** -25 * 1.0001, -(2 ** -26)]))]).toEqual([0, 1, 0x8000]);
  });
});

describe('big-endian hosts', () => {
  it.each([
    [1, [1, 2, 3, 4, 5, 6, 7, 8]],
    [2, [2, 1, 4, 3, 6, 5, 8, 7]],
    [4, [4, 3, 2, 1, 8, 7, 6, 5]],
    [8, [8, 7, 6, 5, 4, 3, 2, 1]],
  ] as const)('turn numbers of %i bytes round when reading and writing', (unit, wanted) => {
    const start = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const read = start.slice();
    swapToHost(read, unit, false);
    expect([...read]).toEqual(wanted);
    expect(littleEndianBytes(read, unit, false)).toEqual(start);
    expect([...read]).toEqual(wanted);
  });
});
