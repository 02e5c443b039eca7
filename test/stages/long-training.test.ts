/** What training at the scale of ImageNet needs: mixed and repeated images, steps in parts, averages, the best model. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { ConfigError, InterruptedError } from '#wave/base/errors.js';
import { openSafetensors, readArtifactInfo } from '#wave/checkpoint/index.js';
import { loadModel } from '#wave/model/load.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { finetune } from '#wave/stages/finetune.js';
import { pretrain } from '#wave/stages/pretrain.js';
import { runFolder } from '#wave/stages/run-folder.js';
import { prepareRun, type RunParts } from '#wave/stages/training-run.js';
import { expectClose } from '../support/close.js';
import { settings } from './finetune-support.js';
import { context, PICO, pico, type TestContext } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-long-'));
vi.stubEnv('SOURCE_DATE_EPOCH', '1700000000');
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});
const fresh = (name: string) => ({ dir: join(root, name), force: false });
const resumed = (name: string) => ({ ...fresh(name), resume: true });
const folder = (name: string) => runFolder(join(root, name));
const weights = async (name: string) => (await loadModel(folder(name).model)).values;
const notes = ({ events }: TestContext) => events.flatMap((event) => (event.type === 'note' ? [event.text] : []));

/** Stops a run once a step is reported. */
const stoppingAt = (step: number) =>
  context((event, stop) => {
    if (event.type === 'step' && event.step === step) stop();
  });

const MIXED = { ...PICO.data, augment: { pad_crop: 1, mixup: 0.8, cutmix: 1, repeats: 3 } };
/** 4 steps of two batches an epoch, 3 epochs; everything is on. */
const everything = (more: object = {}) =>
  pico({
    data: { ...MIXED, ...more },
    train: {
      epochs: 3,
      batch: 32,
      accumulate: 2,
      lr: 4e-3,
      lr_base_batch: 32,
      warmup_epochs: 1,
      warmup_lr: 1e-5,
      log_every: 1,
      drop_path: 0.2,
      label_smoothing: 0.1,
      ema: { decay: 0.8 },
      keep_best: true,
    },
  });

describe('a run with everything on', () => {
  it.each([2, 4, 7, 12])('stopped after step %i gives the same bytes when resumed', async (step) => {
    if (!existsSync(folder('whole').dir)) await pretrain(everything(), fresh('whole'), context());
    const name = `stopped-${step}`;
    await expect(pretrain(everything(), fresh(name), stoppingAt(step))).rejects.toThrow(InterruptedError);
    await pretrain(everything(), resumed(name), context());
    for (const file of ['model', 'state', 'best'] as const) {
      expect(readFileSync(folder(name)[file]).equals(readFileSync(folder('whole')[file])), file).toBe(true);
    }
  });

  it.each([0, 4])('gives the same weights with %i loader threads', async (workers) => {
    await pretrain(everything({ workers }), fresh(`workers-${workers}`), context());
    expect(await weights(`workers-${workers}`)).toEqual(await weights('whole'));
  });

  it('says what the learning rate is, and how its steps are made up', async () => {
    const told = context();
    await pretrain(everything(), fresh('told'), told);
    expect(notes(told)).toContain('highest learning rate: 0.004 x 64/32 = 0.008');
    expect(told.events).toContainEqual({ type: 'phase', text: 'training 12 steps of 2 x 32 images' });
    const rates = told.events.flatMap((event) => (event.type === 'step' ? [event.learningRate] : []));
    expect([rates[0], rates[4], rates[11]]).toEqual([1e-5, 0.008, expect.closeTo(1e-5, 12)]);
  });
});

describe('mixing', () => {
  it('changes the weights that come out, and both kinds of it train', async () => {
    const run = async (name: string, augment: object) => {
      const train = { epochs: 12, batch: 32, lr: 3e-3, eval_every: 12 };
      const data = { ...PICO.data, augment };
      const { top1 } = await pretrain(pico({ data, train }), fresh(name), context());
      return { top1, head: (await weights(name)).get('head.weight') };
    };
    const plain = await run('mix-plain', {});
    for (const augment of [{ mixup: 0.8 }, { cutmix: 1 }]) {
      const mixed = await run(`mix-${Object.keys(augment)}`, augment);
      expect(mixed.head).not.toEqual(plain.head);
      expect(mixed.top1).toBeGreaterThan(0.5);
    }
  });
});

describe('steps in parts', () => {
  const train = { steps: 8, epochs: null, lr: 3e-3, drop_path: 0.2, label_smoothing: 0.1, eps: 1e-3, log_every: 1 };
  const run = async (name: string, batch: number, accumulate: number) => {
    const told = context();
    await pretrain(pico({ train: { ...train, batch, accumulate } }), fresh(name), told);
    const steps = told.events.flatMap((event) => (event.type === 'step' ? [event] : []));
    return { values: await weights(name), steps };
  };

  it('are those of large batches', async () => {
    const whole = await run('large', 32, 1);
    for (const accumulate of [2, 4]) {
      const { values, steps } = await run(`parts-${accumulate}`, 32 / accumulate, accumulate);
      for (const [name, reference] of whole.values) expectClose(name, values.get(name), reference, { absolute: 1e-5 });
      steps.forEach(({ loss, accuracy }, i) => {
        expect(loss).toBeCloseTo(whole.steps[i]?.loss ?? 0, 4);
        expect(accuracy).toBe(whole.steps[i]?.accuracy);
      });
    }
  });

  it('are refused by an engine that has no gradients in memory, before anything is written', async () => {
    const programs = { stepFor: () => ({ step: {} }) };
    const parts = {
      config: pico({ train: { epochs: 1, accumulate: 2 } }),
      engine: { name: 'ort', device: 'webgpu', threads: 1 },
      loaders: { train: { batchesPerEpoch: 8 } },
      compile: () => Promise.resolve(programs),
      context: context(),
    } as unknown as RunParts;
    await expect(prepareRun(parts, fresh('graph'))).rejects.toThrow(
      new ConfigError(
        'train.accumulate: 2 needs gradients in memory, which device webgpu does not give; use 1 or device cpu',
      ),
    );
    expect(existsSync(folder('graph').dir)).toBe(false);
  });

  it('that an epoch does not fill are refused before anything is written', async () => {
    const config = pico({ train: { epochs: 1, batch: 32, accumulate: 9 } });
    await expect(pretrain(config, fresh('too-many'), context())).rejects.toThrow(
      new ConfigError('train.accumulate: a step needs 9 batches, an epoch has 8; lower it, or train.batch'),
    );
    expect(existsSync(folder('too-many').dir)).toBe(false);
  });
});

describe('the best model', () => {
  /** Learns, then is driven off by a rate far too high: the last model is not the best. */
  const rising = { epochs: 6, batch: 32, lr: 0.3, min_lr: 0.3, warmup_epochs: 6, warmup_lr: 3e-3, clip: null };
  const run = async (name: string, train: object = {}, out: object = {}) => {
    const told = context();
    const config = pico({ train: { ...rising, keep_best: true, ...train } });
    const result = await pretrain(config, { ...fresh(name), ...out }, told);
    const evaluated = told.events.flatMap((event) => (event.type === 'evaluated' ? [event] : []));
    return { result, evaluated, config };
  };

  it('is that of the first of the best evaluations, and its lineage and the result say which', async () => {
    const { result, evaluated, config } = await run('best');
    const top1 = Math.max(...evaluated.map((one) => one.top1));
    const epoch = evaluated.findIndex((one) => one.top1 === top1);
    expect(top1).toBeGreaterThan(result.top1);
    expect(result.best).toEqual({ step: 8 * (epoch + 1), top1, model: folder('best').best });
    const file = await openSafetensors(folder('best').best);
    await file.close();
    expect(readArtifactInfo(file)).toMatchObject({ kind: 'model', lineage: { step: 8 * (epoch + 1) } });
    const measured = await evaluate(folder('best').best, evaluateSchema.parse(config), context());
    expect(measured.top1).toBe(top1);
  });

  it('is not kept unless asked for, and that of an earlier run goes with it', async () => {
    const { result } = await run('best', { keep_best: false }, { force: true });
    expect(result.best).toBeUndefined();
    expect(existsSync(folder('best').best)).toBe(false);
  });

  it('stays the best of the whole run when a run goes on', async () => {
    const { result } = await run('best-whole');
    const config = pico({ train: { ...rising, keep_best: true } });
    await expect(pretrain(config, fresh('best-cut'), stoppingAt(32))).rejects.toThrow(InterruptedError);
    const later = await pretrain(config, resumed('best-cut'), context());
    expect(later.best).toEqual({ ...result.best, model: folder('best-cut').best });
    expect(readFileSync(folder('best-cut').best).equals(readFileSync(folder('best-whole').best))).toBe(true);
    const again = await pretrain(config, resumed('best-cut'), context());
    expect(again.best).toEqual(later.best);
  });

  it('of a fine-tuning is the average, where there is one', async () => {
    const start = (await pretrain(pico(), fresh('start'), context())).model;
    const config = settings({ steps: 12, ema: { decay: 0.5 }, keep_best: true }, PICO.data);
    const result = await finetune(config, { model: start }, fresh('tuned'), context());
    const measured = await evaluate(result.best?.model as string, evaluateSchema.parse(config), context());
    expect(measured.top1).toBe(result.best?.top1);
  });
});

describe('the average of the weights in pre-training', () => {
  it('is what is written and measured; the state keeps the plain weights', async () => {
    const config = pico({ train: { epochs: 2, batch: 32, lr: 3e-3, ema: { decay: 0.9 } } });
    const result = await pretrain(config, fresh('average'), context());
    const values = await weights('average');
    const file = await openSafetensors(folder('average').state);
    for (const [name, average] of values) {
      expect(await file.readFloat32(`ema.${name}`)).toEqual(average);
      expect(await file.readFloat32(`parameter.${name}`)).not.toEqual(average);
    }
    await file.close();
    const measured = await evaluate(result.model, evaluateSchema.parse(config), context());
    expect(measured.top1).toBe(result.top1);
  });
});
