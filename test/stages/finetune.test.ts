/** Fine-tuning in this process, on the real engine: what it learns, what is frozen, scaled and averaged. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError } from '#wave/base/errors.js';
import { openSafetensors } from '#wave/checkpoint/index.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { finetune } from '#wave/stages/finetune.js';
import { pretrain } from '#wave/stages/pretrain.js';
import { runFolder } from '#wave/stages/run-folder.js';
import { layerScale } from '#wave/train/index.js';
import { change, OTHER, SAME, settings, setUp } from './finetune-support.js';
import { context, filesIn, laterContext, nothingLeft, pico } from './support.js';

const { root, ancestor, known, fresh, resumed, bytes, run } = await setUp('finetune');

describe('fine-tuning', () => {
  it('learns another task in fewer steps than a model from scratch', async () => {
    const train = { steps: 30, batch: 32, lr: 3e-3, eval_every: 100 };
    const { result } = await run('task', train);
    const scratch = await pretrain(
      pico({ data: OTHER, train: { epochs: null, ...train } }),
      fresh('scratch'),
      context(),
    );
    expect(result.top1).toBeGreaterThan(0.6);
    expect(result.top1).toBeGreaterThan(scratch.top1 + 0.2);
    expect(result.loss).toBeLessThan(scratch.loss);
  });

  it('writes a model that evaluates as measured, under the settings of the run', async () => {
    const { result } = await run('measured', {});
    const config = evaluateSchema.parse(settings({}));
    expect(await evaluate(result.model, config, context())).toMatchObject({ top1: result.top1, images: 200 });
  });

  it('trains with every kind of regularisation on', async () => {
    const { result } = await run('all', { drop_path: 0.2, label_smoothing: 0.1, layer_decay: 0.8, ema: {} });
    expect(result.loss).toBeLessThan(Math.log(6) * 1.5);
  });
});

describe('frozen parameters', () => {
  it('keep their very bits, and nothing else does', async () => {
    const { result, told, values } = await run('frozen', { freeze: ['embeddings', 'blocks.0', 'norms'] }, SAME);
    const isFrozen = (name: string) => /^(cls_token|pos_embed|patch_embed|blocks\.0)|(^|\.)norm/.test(name);
    const names = [...values.keys()];
    expect(names.filter((name) => change(name, values, known.values) === 0)).toEqual(names.filter(isFrozen));
    const size = (name: string) => (values.get(name) as Float32Array).length;
    const trainable = names.filter((name) => !isFrozen(name)).reduce((sum, name) => sum + size(name), 0);
    expect(result).toMatchObject({ trainable, parameters: names.reduce((sum, name) => sum + size(name), 0) });
    const text = `frozen: ${result.parameters - trainable} of ${result.parameters} parameters`;
    expect(told.events).toContainEqual({ type: 'note', text });
  });

  it('keep their very bits in the average too', async () => {
    const { values } = await run('frozen-average', { freeze: ['blocks'], ema: { decay: 0.9 } }, SAME);
    expect(change('blocks.1.mlp.fc1.weight', values, known.values)).toBe(0);
    expect(change('head.weight', values, known.values)).toBeGreaterThan(0);
  });

  it('that the model does not have are refused before anything is written', async () => {
    await expect(run('none', { freeze: ['blocks.2'] })).rejects.toThrow(ConfigError);
    expect(existsSync(join(root, 'none'))).toBe(false);
  });
});

describe('layer-wise decay', () => {
  it('scales the step of every parameter by its layer', async () => {
    const lr = 1e-3;
    const train = { steps: 1, lr, min_lr: 0, weight_decay: 0, layer_decay: 0.5, clip: null, eps: 1e-30 };
    const { values } = await run('decayed', train, SAME);
    // The first step of AdamW is the learning rate times the sign of the gradient, wherever there is one.
    for (const name of values.keys()) {
      expect([name, change(name, values, known.values) / lr]).toEqual([
        name,
        expect.closeTo(layerScale(name, 2, 0.5), 2),
      ]);
    }
    expect(change('head.weight', values, known.values) / lr).toBeCloseTo(1, 2);
    expect(change('pos_embed', values, known.values) / change('head.weight', values, known.values)).toBeCloseTo(
      1 / 8,
      2,
    );
  });
});

describe('the average of the weights', () => {
  const EMA = { ema: { decay: 0.9 }, steps: 16, drop_path: 0.2, layer_decay: 0.8, freeze: ['pos_embed'] };
  const interruptedAt = async (name: string, step: number) => {
    const stopping = context((event, stop) => {
      if (event.type === 'step' && event.step === step) stop();
    });
    const refused = finetune(settings(EMA), { model: ancestor }, fresh(name), stopping);
    await expect(refused).rejects.toThrow(InterruptedError);
  };

  it('is what is written and measured; the state keeps the plain weights', async () => {
    const { result, values } = await run('average', EMA);
    const file = await openSafetensors(runFolder(join(root, 'average')).state);
    for (const [name, average] of values) {
      expect(await file.readFloat32(`ema.${name}`)).toEqual(average);
      const plain = await file.readFloat32(`parameter.${name}`);
      expect([name, plain.some((value, i) => value !== average[i])]).toEqual([name, name !== 'pos_embed']);
    }
    await file.close();
    const measured = await evaluate(result.model, evaluateSchema.parse(settings(EMA)), context());
    expect(measured).toMatchObject({ top1: result.top1, top5: result.top5 });
    expect(measured.loss).toBeCloseTo(result.loss, 6);
  });

  it('is the plain weights when it keeps nothing', async () => {
    const { values } = await run('nothing', { ema: { decay: 0, warmup: false } });
    expect(values).toEqual((await run('plain', {})).values);
  });

  it.each([4, 8, 12, 16])('stopped at step %i gives the same bytes when resumed', async (step) => {
    const name = `stopped-${step}`;
    await interruptedAt(name, step);
    await finetune(settings(EMA), { model: ancestor }, resumed(name), context());
    expect(bytes(name).equals(bytes('average'))).toBe(true);
    expect(bytes(name, 'state').equals(bytes('average', 'state'))).toBe(true);
  });

  it('that is finished stays as it is to the byte when resumed', async () => {
    await finetune(settings(EMA), { model: ancestor }, fresh('finished'), context());
    const before = filesIn(join(root, 'finished'));
    const later = laterContext();
    await finetune(settings(EMA), { model: ancestor }, resumed('finished'), later);
    expect(filesIn(join(root, 'finished'))).toEqual(before);
    expect(later.events).toContainEqual(nothingLeft(join(root, 'finished')));
  });
});
