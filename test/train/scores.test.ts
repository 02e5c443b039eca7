import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addScores, NO_SCORES, quality, score } from '#wave/train/index.js';

/** The same by sorting, and by the definition of cross-entropy with plain sums. */
function byDefinition(logits: readonly (readonly number[])[], labels: readonly number[]) {
  const results = logits.map((row, i) => {
    const order = row.map((value, c) => ({ value, c })).sort((a, b) => b.value - a.value || a.c - b.c);
    const rank = order.findIndex(({ c }) => c === labels[i]);
    const total = row.reduce((sum, value) => sum + Math.exp(value), 0);
    return { top1: Number(rank === 0), top5: Number(rank < 5), loss: -Math.log(Math.exp(row[labels[i]]) / total) };
  });
  const sum = (key: 'top1' | 'top5' | 'loss') => results.reduce((total, result) => total + result[key], 0);
  return { images: labels.length, top1: sum('top1'), top5: sum('top5'), loss: sum('loss') };
}

function scored(logits: readonly (readonly number[])[], labels: readonly number[]) {
  return score(Float32Array.from(logits.flat()), Int32Array.from(labels), logits[0].length, logits.length);
}

describe('score', () => {
  it('agrees with sorting and plain sums, ties included', () => {
    const problem = fc.integer({ min: 2, max: 9 }).chain((classes) => {
      // Whole numbers tie often.
      const row = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: classes, maxLength: classes });
      const sample = fc.tuple(row, fc.integer({ min: 0, max: classes - 1 }));
      return fc.array(sample, { minLength: 1, maxLength: 6 });
    });
    fc.assert(
      fc.property(problem, (samples) => {
        const [logits, labels] = [samples.map(([row]) => row), samples.map(([, label]) => label)];
        const found = scored(logits, labels);
        const expected = byDefinition(logits, labels);
        expect(found).toEqual({ ...expected, loss: expect.closeTo(expected.loss, 9) });
      }),
    );
  });

  it.each([
    [[1, 1, 0], 0, 1],
    [[1, 1, 0], 1, 0],
    [[0, 0, 0], 0, 1],
    [[0, 0, 0], 2, 0],
  ])('of equal logits ranks the lower class first: %j, label %i', (row, label, top1) => {
    expect(scored([row], [label]).top1).toBe(top1);
  });

  it('puts the sixth class outside of the top five, and all of four classes inside', () => {
    expect(scored([[6, 5, 4, 3, 2, 1]], [5]).top5).toBe(0);
    expect(scored([[6, 5, 4, 3, 2, 1]], [4]).top5).toBe(1);
    expect(scored([[4, 3, 2, 1]], [3]).top5).toBe(1);
  });

  it.each([
    ['of the label', [Number.NaN, 0, 0, 0, 0, 0]],
    ['of all classes', new Array<number>(6).fill(Number.NaN)],
    ['of six others', [0, ...new Array<number>(6).fill(Number.NaN)]],
  ])('counts a row as wrong when the logit %s is not a number', (_which, row) => {
    const { top1, top5, loss } = scored([row], [0]);
    expect({ top1, top5, loss }).toEqual({ top1: 0, top5: 0, loss: Number.NaN });
  });

  it('never counts a row as right when any logit is not a number', () => {
    const { top1, loss } = scored([[9, 0, Number.NaN]], [0]);
    expect({ top1, loss }).toEqual({ top1: 0, loss: Number.NaN });
  });

  it('stays finite for logits whose exponentials are not', () => {
    expect(scored([[5000, -5000, 0]], [1]).loss).toBeCloseTo(10_000, 9);
    expect(scored([[-5000, -5000, -5000]], [1]).loss).toBeCloseTo(Math.log(3), 9);
  });

  it('leaves the rows of the padding out', () => {
    const logits = Float32Array.of(1, 0, 0, 1, 9, 0, 9, 0);
    expect(score(logits, Int32Array.of(0, 1, 0, 0), 2, 2)).toEqual(
      scored(
        [
          [1, 0],
          [0, 1],
        ],
        [0, 1],
      ),
    );
    expect(score(logits, Int32Array.of(0, 1, 0, 0), 2, 0)).toEqual(NO_SCORES);
  });

  it('adds up to the scores of all rows', () => {
    const rows = [
      [1, 2],
      [0, 1],
      [3, 0],
    ];
    const parts = addScores(addScores(NO_SCORES, scored(rows.slice(0, 1), [1])), scored(rows.slice(1), [0, 0]));
    const all = scored(rows, [1, 0, 0]);
    expect(parts).toEqual({ ...all, loss: expect.closeTo(all.loss, 12) });
    expect(quality(all)).toEqual({ images: 3, top1: 2 / 3, top5: 1, loss: all.loss / 3 });
  });
});
