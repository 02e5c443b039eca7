import { describe, expect, it } from 'vitest';
import { planRun, trainSchema } from '#wave/train/index.js';

const problems = (settings: unknown) =>
  (trainSchema.safeParse(settings).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('trainSchema', () => {
  it.each([
    [{ epochs: 3 }],
    [{ steps: 3 }],
    [{ epochs: 1, min_lr: 1e-3, lr: 1e-3 }],
    [{ epochs: 1, clip: null }],
    [{ epochs: 1, warmup_epochs: 0.3 }],
  ])('accepts %j', (settings) => {
    expect(problems(settings)).toEqual([]);
  });

  it.each([
    [{}, 'epochs: give epochs or steps, and null for the other (--set train.epochs=null); found neither'],
    [
      { epochs: 1, steps: 1 },
      'epochs: give epochs or steps, and null for the other (--set train.epochs=null); found both',
    ],
    [{ epochs: 1, lr: 1e-3, min_lr: 2e-3 }, 'min_lr: must not exceed lr (0.001), found 0.002'],
  ])('refuses %j', (settings, message) => {
    expect(problems(settings)).toEqual([message]);
  });

  it.each([
    ['epochs', 0],
    ['epochs', 1.5],
    ['batch', 0],
    ['lr', 0],
    ['lr', Number.POSITIVE_INFINITY],
    ['min_lr', -1],
    ['warmup_epochs', -1],
    ['weight_decay', -0.1],
    ['betas', [0.9]],
    ['betas', [0.9, 1]],
    ['eps', 0],
    ['clip', 0],
    ['label_smoothing', 1],
    ['drop_path', 1],
    ['drop_path', -0.1],
    ['eval_every', 0],
    ['log_every', 0],
    ['unknown', 1],
  ])('refuses %s: %j', (key, value) => {
    expect(trainSchema.safeParse({ epochs: 1, [key]: value }).success).toBe(false);
  });
});

describe('planRun', () => {
  const plan = (settings: object, stepsPerEpoch: number) => planRun(trainSchema.parse(settings), stepsPerEpoch);

  it('has the full batches of all epochs', () => {
    expect(plan({ epochs: 3 }, 16)).toEqual({ steps: 48, stepsPerEpoch: 16, epochs: 3, warmupSteps: 0 });
  });

  it('has the steps asked for, in epochs of which the last may be cut', () => {
    expect(plan({ steps: 33 }, 16)).toMatchObject({ steps: 33, epochs: 3 });
    expect(plan({ steps: 32 }, 16)).toMatchObject({ steps: 32, epochs: 2 });
    expect(plan({ steps: 1 }, 16)).toMatchObject({ steps: 1, epochs: 1 });
  });

  it('rounds the warm-up to whole steps, at most all of them', () => {
    expect(plan({ epochs: 3, warmup_epochs: 0.5 }, 16).warmupSteps).toBe(8);
    expect(plan({ epochs: 3, warmup_epochs: 0.28 }, 16).warmupSteps).toBe(4);
    expect(plan({ steps: 10, warmup_epochs: 5 }, 16).warmupSteps).toBe(10);
  });
});
