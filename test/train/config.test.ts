import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { planRun, rateText, scaledRate, stepImages, trainSchema } from '#wave/train/index.js';

const problems = (settings: unknown) =>
  (trainSchema.safeParse(settings).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('trainSchema', () => {
  it.each([
    [{ epochs: 3 }],
    [{ steps: 3 }],
    [{ epochs: 1, min_lr: 1e-3, lr: 1e-3 }],
    [{ epochs: 1, clip: null }],
    [{ epochs: 1, warmup_epochs: 0.3 }],
    [{ epochs: 1, lr: 5e-4, lr_base_batch: 512, batch: 1024, min_lr: 1e-3 }],
    [{ epochs: 1, warmup_lr: 1e-3, lr: 1e-3 }],
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
    [{ epochs: 1, lr: 1e-3, warmup_lr: 2e-3 }, 'warmup_lr: must not exceed lr (0.001), found 0.002'],
    [
      { epochs: 1, lr: 5e-4, lr_base_batch: 512, batch: 8, accumulate: 2, min_lr: 1e-4 },
      'min_lr: must not exceed lr (0.0005 x 16/512 = 0.000015625), found 0.0001',
    ],
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
    ['accumulate', 0],
    ['lr_base_batch', 0],
    ['warmup_lr', -1],
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

describe('the highest learning rate', () => {
  const settings = { lr: 5e-4, batch: 256, accumulate: 4 };

  it('is lr, or in proportion to the images of a step', () => {
    expect(stepImages(settings)).toBe(1024);
    expect(scaledRate({ ...settings, lr_base_batch: null })).toBe(5e-4);
    expect(scaledRate({ ...settings, lr_base_batch: 512 })).toBe(1e-3);
    expect(scaledRate({ ...settings, accumulate: 1, lr_base_batch: 512 })).toBe(2.5e-4);
  });

  it('says how it comes about', () => {
    expect(rateText({ ...settings, lr_base_batch: 512 })).toBe('0.0005 x 1024/512 = 0.001');
    expect(rateText({ lr: 3e-4, batch: 7, accumulate: 1, lr_base_batch: 3 })).toBe('0.0003 x 7/3 = 0.0007');
    expect(rateText({ ...settings, lr_base_batch: null })).toBe('0.0005');
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

  it('leaves batches out that do not fill a step', () => {
    expect(plan({ epochs: 3, accumulate: 5, warmup_epochs: 1 }, 16)).toEqual({
      steps: 9,
      stepsPerEpoch: 3,
      epochs: 3,
      warmupSteps: 3,
    });
    expect(() => plan({ epochs: 3, accumulate: 17 }, 16)).toThrow(
      new ConfigError('train.accumulate: a step needs 17 batches, an epoch has 16; lower it, or train.batch'),
    );
  });

  it('rounds the warm-up to whole steps, at most all of them', () => {
    expect(plan({ epochs: 3, warmup_epochs: 0.5 }, 16).warmupSteps).toBe(8);
    expect(plan({ epochs: 3, warmup_epochs: 0.28 }, 16).warmupSteps).toBe(4);
    expect(plan({ steps: 10, warmup_epochs: 5 }, 16).warmupSteps).toBe(10);
  });
});
