import { describe, expect, it } from 'vitest';
import { learningRate } from '#wave/train/index.js';

const rates = (schedule: Parameters<typeof learningRate>[0]) =>
  Array.from({ length: schedule.steps }, (_, step) => learningRate(schedule, step));

describe('learningRate', () => {
  it('rises in equal parts, then falls along a cosine to the lowest rate at the last step', () => {
    // 2 steps up, 5 steps down: cos(0), cos(45 deg), cos(90 deg), cos(135 deg), cos(180 deg) between 0.1 and 0.9.
    const expected = [0.45, 0.9, 0.9, 0.5 + 0.4 * Math.SQRT1_2, 0.5, 0.5 - 0.4 * Math.SQRT1_2, 0.1];
    const found = rates({ lr: 0.9, minLr: 0.1, steps: 7, warmupSteps: 2 });
    expected.forEach((rate, step) => {
      expect(found[step], `step ${step}`).toBeCloseTo(rate, 12);
    });
  });

  it('rises from the rate that it is given, and reaches the highest one with the first step after the warm-up', () => {
    const found = rates({ lr: 0.9, minLr: 0.1, steps: 9, warmupSteps: 4, warmupLr: 0.1 });
    [0.1, 0.3, 0.5, 0.7, 0.9].forEach((rate, step) => {
      expect(found[step], `step ${step}`).toBeCloseTo(rate, 12);
    });
    expect(found[8]).toBeCloseTo(0.1, 12);
  });

  it('has no use for the first rate without a warm-up', () => {
    const schedule = { lr: 0.9, minLr: 0.1, steps: 9, warmupSteps: 0 };
    expect(rates({ ...schedule, warmupLr: 0.2 })).toEqual(rates(schedule));
  });

  it('begins at the highest rate without a warm-up', () => {
    expect(rates({ lr: 1, minLr: 0, steps: 3, warmupSteps: 0 })).toEqual([1, expect.closeTo(0.5, 12), 0]);
  });

  it.each([
    ['one step', { steps: 1, warmupSteps: 0 }, [1]],
    ['one step of warm-up', { steps: 1, warmupSteps: 1 }, [1]],
    ['warm-up only', { steps: 4, warmupSteps: 4 }, [0.25, 0.5, 0.75, 1]],
    ['one step after the warm-up', { steps: 3, warmupSteps: 2 }, [0.5, 1, 1]],
  ])('is finite and in its bounds for %s', (_name, lengths, expected) => {
    expect(rates({ lr: 1, minLr: 0.1, ...lengths })).toEqual(expected);
  });

  it('is constant when the lowest rate is the highest', () => {
    expect(rates({ lr: 0.3, minLr: 0.3, steps: 4, warmupSteps: 0 })).toEqual([0.3, 0.3, 0.3, 0.3]);
  });
});
