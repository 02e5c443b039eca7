import { describe, expect, it } from 'vitest';
import { batchTargets, dropPathFactors, mainLabels, smoothedTargets } from '#wave/train/index.js';

describe('smoothedTargets', () => {
  it('are one-hot without smoothing', () => {
    expect([...smoothedTargets(Int32Array.of(2, 0), 3, 0)]).toEqual([0, 0, 1, 1, 0, 0]);
  });

  it('spread their share over all classes, the right one included', () => {
    const found = smoothedTargets(Int32Array.of(1), 4, 0.2);
    [0.05, 0.85, 0.05, 0.05].forEach((value, i) => {
      expect(found[i]).toBeCloseTo(value, 7);
    });
  });

  it('are distributions', () => {
    const found = smoothedTargets(Int32Array.of(0, 6, 3), 7, 0.1);
    for (let row = 0; row < 3; row++) {
      const sum = found.subarray(row * 7, (row + 1) * 7).reduce((a, b) => a + b, 0);
      expect(sum).toBeCloseTo(1, 6);
    }
  });
});

describe('targets of a mixed batch', () => {
  const labels = Int32Array.of(0, 6, 3);

  it('share each row out between its label and that of the mirrored row', () => {
    const found = batchTargets({ labels, mix: { lambda: 0.7 } }, 7, 0);
    const rows = [0, 1, 2].map((row) => [...found.subarray(row * 7, (row + 1) * 7)]);
    const near = (shares: Readonly<Record<number, number>>) =>
      Array.from({ length: 7 }, (_, c) => expect.closeTo(shares[c] ?? 0, 6));
    expect(rows).toEqual([near({ 0: 0.7, 3: 0.3 }), near({ 6: 1 }), near({ 3: 0.7, 0: 0.3 })]);
  });

  it('are distributions, smoothed or not', () => {
    for (const smoothing of [0, 0.1, 0.5]) {
      for (const lambda of [0, 0.2, 0.5, 0.999]) {
        const found = batchTargets({ labels, mix: { lambda } }, 7, smoothing);
        for (let row = 0; row < 3; row++) {
          const sum = found.subarray(row * 7, (row + 1) * 7).reduce((a, b) => a + b, 0);
          expect(sum).toBeCloseTo(1, 6);
        }
        expect(Math.min(...found)).toBeGreaterThanOrEqual(Math.fround(smoothing / 7) - 1e-7);
      }
    }
  });

  it('are the smoothed ones of a batch that is not mixed', () => {
    expect(batchTargets({ labels }, 7, 0.1)).toEqual(smoothedTargets(labels, 7, 0.1));
  });

  it('count as right the label with the larger share', () => {
    expect(mainLabels({ labels })).toBe(labels);
    expect([...mainLabels({ labels, mix: { lambda: 0.5 } })]).toEqual([0, 6, 3]);
    expect([...mainLabels({ labels, mix: { lambda: 0.49 } })]).toEqual([3, 6, 0]);
    expect([...labels]).toEqual([0, 6, 3]);
  });
});

describe('dropPathFactors', () => {
  const options = { depth: 5, batch: 64, rate: 0.4, seed: 3 };

  it('are 0 or the inverse of the share that is kept, which falls linearly from block to block', () => {
    const factors = dropPathFactors({ ...options, step: 0 });
    expect(factors).toHaveLength(2 * 5 * 64);
    [0, 0.1, 0.2, 0.3, 0.4].forEach((rate, block) => {
      const mine = factors.subarray(2 * block * 64, 2 * (block + 1) * 64);
      const kept = Math.fround(1 / (1 - rate));
      expect([...mine].filter((factor) => factor !== 0 && factor !== kept)).toEqual([]);
      expect(mine.includes(0)).toBe(rate > 0);
    });
  });

  it('drop each branch at its rate, and leave the mean at 1', () => {
    // 400 steps of 64 samples: the share of one branch has a deviation of at most 0.0031; allowed are five of them.
    const steps = 400;
    const dropped = new Float64Array(10);
    const sums = new Float64Array(10);
    for (let step = 0; step < steps; step++) {
      dropPathFactors({ ...options, step }).forEach((factor, i) => {
        const branch = Math.floor(i / 64);
        dropped[branch] += Number(factor === 0);
        sums[branch] += factor;
      });
    }
    for (let branch = 0; branch < 10; branch++) {
      const rate = 0.1 * Math.floor(branch / 2);
      expect(Math.abs(dropped[branch] / (steps * 64) - rate), `branch ${branch}`).toBeLessThan(0.0155);
      expect(Math.abs(sums[branch] / (steps * 64) - 1), `branch ${branch}`).toBeLessThan(0.026);
    }
  });

  it('depend on seed and step alone, and drop the two branches of a block apart', () => {
    const one = dropPathFactors({ ...options, step: 7 });
    expect(dropPathFactors({ ...options, step: 7 })).toEqual(one);
    expect(dropPathFactors({ ...options, step: 8 })).not.toEqual(one);
    expect(dropPathFactors({ ...options, step: 7, seed: 4 })).not.toEqual(one);
    expect(one.slice(8 * 64, 9 * 64)).not.toEqual(one.slice(9 * 64));
  });

  it('are shared out between the parts of a step, side by side', () => {
    const whole = dropPathFactors({ ...options, step: 7 });
    const parts = [0, 1, 2, 3].map((part) => dropPathFactors({ ...options, batch: 16, step: 7, part, parts: 4 }));
    for (let branch = 0; branch < 10; branch++) {
      const joined = parts.flatMap((factors) => [...factors.subarray(branch * 16, (branch + 1) * 16)]);
      expect(joined).toEqual([...whole.subarray(branch * 64, (branch + 1) * 64)]);
    }
  });

  it('drop nothing in a model of one block, whose rate is where the line begins', () => {
    const factors = dropPathFactors({ depth: 1, batch: 512, rate: 0.5, seed: 0, step: 0 });
    expect(new Set(factors)).toEqual(new Set([1]));
  });
});
