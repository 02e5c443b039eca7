import { describe, expect, it } from 'vitest';
import { epochOrder } from '#wave/data/order.js';
import { numbers } from './source-support.js';

/** Ten blocks of 1 to 10 images. */
const of = Uint32Array.from(numbers(10).flatMap((block) => new Array<number>(block + 1).fill(block)));
const indices = Uint32Array.from(of, (_, i) => i);
const order = (parts: Partial<Parameters<typeof epochOrder>[0]> = {}) =>
  epochOrder({ indices, blocks: { of, most: 100 }, window: 3, seed: 0, epoch: 0, ...parts });

/** Blocks in the order in which their images come, each window as a sorted list. */
function windows(found: Uint32Array, size: number): number[][] {
  const seen: number[][] = [];
  let at = 0;
  while (at < found.length) {
    const inside = new Set<number>();
    let length = 0;
    // A window ends when all images of its blocks have come.
    do {
      inside.add(of[found[at++]]);
      length++;
    } while (
      at < found.length &&
      !([...inside].reduce((sum, block) => sum + block + 1, 0) === length && inside.size === size)
    );
    seen.push([...inside].sort((a, b) => a - b));
  }
  return seen;
}

describe('epochOrder', () => {
  it('has every sample once, whatever the source', () => {
    for (const blocks of [undefined, { of, most: 100 }, { of, most: 1 }]) {
      expect([...order({ blocks })].sort((a, b) => a - b)).toEqual([...indices]);
    }
  });

  it('shuffles images within windows of blocks', () => {
    const found = windows(order(), 3);
    expect(found).toHaveLength(4);
    expect(found.flat().sort((a, b) => a - b)).toEqual(numbers(10));
    const within = [...order()].slice(0, 8);
    expect(within).not.toEqual([...within].sort((a, b) => a - b));
  });

  it('keeps to as many blocks as a thread can keep', () => {
    expect(windows(order({ blocks: { of, most: 2 } }), 2)).toHaveLength(5);
    expect(windows(order({ blocks: { of, most: 1 } }), 1)).toHaveLength(10);
  });

  it('differs by seed and epoch and by nothing else', () => {
    expect(order()).toEqual(order());
    expect(order({ epoch: 1 })).not.toEqual(order());
    expect(order({ seed: 1 })).not.toEqual(order());
  });

  it('takes subsets, also such as leave out whole blocks', () => {
    const some = indices.filter((i) => of[i] % 2 === 1 && i % 3 > 0);
    expect([...order({ indices: some })].sort((a, b) => a - b)).toEqual([...some]);
  });

  it('is that of a plain shuffle for a window of all blocks, but for the order of the generator', () => {
    const all = order({ window: 10 });
    expect(windows(all, 10)).toHaveLength(1);
  });
});
