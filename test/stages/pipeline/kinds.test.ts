/** The kinds of stages as they are, on drawn images and the real engine. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError } from '#wave/base/errors.js';
import { makeLineage } from '#wave/checkpoint/index.js';
import { loadModel } from '#wave/model/load.js';
import { loadPipeline, planPipeline, runPipeline } from '#wave/stages/pipeline/index.js';
import { loadScalers, saveScalers } from '#wave/wave/index.js';
import { saveBank } from '../../init/support.js';
import { context, PICO } from '../support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-kinds-'));
afterAll(() => rmSync(root, { recursive: true }));

const LINEAGE = makeLineage({ command: '', configSha256: '', parents: [], seed: 0, engine: '', toolVersion: '' });
const { data, model, engine } = PICO;
const load = (out: string, more: object) =>
  loadPipeline({
    file: 'p.yaml',
    text: JSON.stringify({
      out: join(root, out),
      seed: 3,
      data,
      model,
      engine,
      eval: PICO.eval,
      train: { ...PICO.train, epochs: 1 },
      ...more,
    }),
  });

describe('a recipe', () => {
  it('lies under the common blocks and the settings of its stage, and is no matter of other stages', async () => {
    const { tasks } = await load('recipe', {
      data: { ...data, image: 16, mean: [0.5], std: [0.5] },
      train: { batch: 32, lr: 2e-3 },
      stages: {
        deit: { stage: 'pretrain', recipe: 'deit', train: { drop_path: 0 } },
        short: { stage: 'finetune', model: 'deit', recipe: 'deit', train: { steps: 3 } },
        plain: { stage: 'pretrain', train: { epochs: 1 } },
      },
    });
    const [deit, short, plain] = tasks.map(({ config }) => config as { data: object; train: object });
    expect(deit).toMatchObject({
      recipe: 'deit',
      data: { image: 16, mean: [0.5], augment: { mixup: 0.8, repeats: 3 } },
      train: { epochs: 300, batch: 32, lr: 2e-3, lr_base_batch: 512, drop_path: 0, label_smoothing: 0.1 },
    });
    expect(short?.train).toMatchObject({ epochs: null, steps: 3, drop_path: 0.1 });
    expect(plain).toMatchObject({ recipe: null, data: { augment: { mixup: 0 } }, train: { lr_base_batch: null } });
  });

  it('is refused where a stage has none, and at the top', async () => {
    const stages = { deit: { stage: 'pretrain' } };
    await expect(load('recipe-2', { recipe: 'deit', stages })).rejects.toThrow(/recipe: unknown key/);
    const distill = { stage: 'distill', ancestor: 'deit', recipe: 'deit' };
    await expect(load('recipe-3', { stages: { ...stages, distill } })).rejects.toThrow(
      /stages\.distill\.recipe: unknown key/,
    );
  });
});

describe('pretrain', () => {
  it('puts the sizes of each target into the model, and keeps the size of a head', async () => {
    const pipeline = await load('sizes', {
      targets: [
        { depth: 1, width: 48 },
        { depth: 3, width: 32, heads: 8, name: 'many-heads' },
      ],
      stages: { scratch: { stage: 'pretrain', each: 'targets' } },
    });
    const models = pipeline.tasks.map(({ config }) => (config as { model: object }).model);
    expect(models).toEqual([
      expect.objectContaining({ patch: 4, depth: 1, width: 48, heads: 3 }),
      expect.objectContaining({ patch: 4, depth: 3, width: 32, heads: 8 }),
    ]);
  });

  it.each([
    [
      'a width that holds no whole heads',
      { depth: 1, width: 40 },
      {},
      'width 40 of target 40x1 is no multiple of the head size 16; give it heads:',
    ],
    [
      'heads that nobody can tell',
      { depth: 1, width: 32 },
      { model: { patch: 4 } },
      'heads of target 32x1 are not known; give heads:, or a model: with width and heads',
    ],
    [
      'heads that do not divide the width',
      { depth: 1, width: 32, heads: 5 },
      {},
      'model: width 32 is not divisible by heads 5: choose heads among 1, 2, 4, 8, 16, 32',
    ],
  ])('refuses %s before anything is run', async (_name, target, more, message) => {
    const stages = { scratch: { stage: 'pretrain', each: 'targets' } };
    const refused = load('refused', { targets: [target], stages, ...more });
    await expect(refused).rejects.toThrow(`stages.scratch: ${message}`);
  });

  it.each([
    ['train', { train: { ...PICO.train, epochs: 3 } }, { train: { steps: 20 } }, { epochs: null, steps: 20 }],
    [
      'train',
      { train: { ...PICO.train, epochs: null, steps: 9 } },
      { train: { epochs: 2 } },
      { epochs: 2, steps: null },
    ],
    ['data', { data: { ...data, limit: 99 } }, { data: { fraction: 0.5 } }, { limit: null, fraction: 0.5 }],
    ['data', { data: { ...data, fraction: 0.5 } }, { data: { limit: 99 } }, { limit: 99, fraction: null }],
  ])('takes its own kind of limit in %s over that of the common block', async (key, common, own, expected) => {
    const { tasks } = await load('limits', { ...common, stages: { a: { stage: 'pretrain', ...own } } });
    expect((tasks[0].config as Record<string, object>)[key]).toMatchObject(expected);
  });

  it('refuses two kinds of limit in one block all the same', async () => {
    const stages = { a: { stage: 'pretrain', train: { steps: 20, epochs: 2 } } };
    await expect(load('limits', { stages })).rejects.toThrow(/stages\.a\.train\.epochs: .*found both/);
  });

  it('takes the heads from a preset', async () => {
    const { tasks } = await load('preset', {
      data: { source: 'synthetic', synthetic: { image: 28 } },
      model: { preset: 'vit-28-micro' },
      targets: [{ depth: 1, width: 96 }],
      stages: { scratch: { stage: 'pretrain', each: 'targets' } },
    });
    expect(tasks[0].config).toMatchObject({ model: { depth: 1, width: 96, heads: 3 } });
  });

  it('goes on where it was stopped, and ends as if it had not been', async () => {
    const stages = { ancestor: { stage: 'pretrain', train: { epochs: 2 } } };
    await runPipeline(await load('whole', { stages }), context());
    const stopping = context((event, stop) => {
      if (event.type === 'step' && event.step === 12) stop();
    });
    await expect(runPipeline(await load('stopped', { stages }), stopping)).rejects.toThrow(InterruptedError);
    const told = context();
    await runPipeline(await load('stopped', { stages }), told);
    expect(told.events).toContainEqual({ type: 'note', text: '[1/1] ancestor: was not finished' });
    expect(told.events).toContainEqual({ type: 'phase', text: 'training 16 steps of 32 images from step 12' });
    const weights = async (out: string) => (await loadModel(join(root, out, 'ancestor'))).values;
    expect(await weights('stopped')).toEqual(await weights('whole'));
    expect(existsSync(join(root, 'stopped', 'ancestor', 'stage.running.json'))).toBe(false);
  });

  it('is refused with data that is not there before anything is run', async () => {
    const files = { images: join(root, 'none'), labels: join(root, 'none') };
    const idx = { source: 'idx', train: files, test: files, classes: 4 };
    const stages = { ancestor: { stage: 'pretrain' }, other: { stage: 'pretrain', data: idx } };
    const pipeline = await load('nodata', { stages });
    await expect(runPipeline(pipeline, context())).rejects.toThrow(/none: cannot be read: no such file/);
    expect(existsSync(join(root, 'nodata'))).toBe(false);
  });
});

describe('distill, init, eval, fit and finetune', () => {
  const chain = {
    data: { ...data, synthetic: { ...data.synthetic, train: 512 } },
    model: { patch: 4, depth: 3, width: 32, heads: 4 },
    train: { batch: 32, lr: 3e-3, warmup_epochs: 1, log_every: 4 },
    targets: [
      { depth: 2, width: 32 },
      { depth: 4, width: 16, name: 'narrow' },
      { depth: 4, width: 40, name: 'larger' },
    ],
    stages: {
      ancestor: { stage: 'pretrain', train: { epochs: 12 } },
      bank: { stage: 'distill', ancestor: 'ancestor', train: { epochs: 8 } },
      init: { templates: 'bank' },
      start: { stage: 'eval', templates: 'bank', scalers: 'init' },
      sliced: { stage: 'init', method: 'weight-selection', ancestor: 'ancestor', each: ['32x2'] },
      fit: { templates: 'bank', scalers: 'init', ancestor: 'ancestor', train: { steps: 8, warmup_epochs: 0 } },
      tuned: { stage: 'finetune', templates: 'bank', scalers: 'init', train: { steps: 4, lr: 1e-4 } },
      'tuned-slices': { stage: 'finetune', model: 'sliced', train: { steps: 4 } },
    },
  };

  it('make models of three sizes from one ancestor, which know its classes before any training of their own', async () => {
    const { stages, targets } = await runPipeline(await load('chain', chain), context());
    const bank = stages.find(({ stage }) => stage === 'bank');
    expect(bank?.measures.ofAncestor).toBeLessThan(0.5);
    expect(bank?.measures.parameters).toBe(bank?.results?.templateParameters);
    expect(targets.map(({ accuracy }) => Object.keys(accuracy))).toEqual([
      ['start', 'fit', 'tuned', 'tuned-slices'],
      ['start', 'fit', 'tuned'],
      ['start', 'fit', 'tuned'],
    ]);
    expect(targets.map(({ parameters }) => parameters)).toEqual(
      stages.flatMap(({ stage, results }) => (stage === 'init' ? [results?.parameters] : [])),
    );
    for (const { accuracy, startAccuracy } of targets) {
      expect(accuracy.start).toBeGreaterThan(0.5);
      expect(startAccuracy).toEqual({ fit: accuracy.start });
    }
    expect(existsSync(join(root, 'chain', 'init', 'narrow', 'scalers.safetensors'))).toBe(true);
    expect(existsSync(join(root, 'chain', 'sliced', '32x2', 'model.safetensors'))).toBe(true);
    const again = await runPipeline(await load('chain', chain), context());
    expect(again.stages.every(({ status }) => status === 'up to date')).toBe(true);
  });

  const others = { ...chain.stages };
  it.each([
    [
      'a target that the bank cannot make',
      { targets: [...chain.targets, { depth: 2, width: 36 }] },
      'stages.init (target 36x2): width 36 is no multiple of the template width 8; the nearest valid widths are 32 and 40',
    ],
    [
      'a target that the method cannot make',
      { stages: { ...others, sliced: { ...others.sliced, each: ['larger'] } } },
      'stages.sliced: depth 4: weight-selection makes at most depth 3, that of the ancestor; choose another size or method',
    ],
    [
      'an auxiliary model that cannot be',
      { stages: { ...others, bank: { ...others.bank, auxiliary: { width: 20 } } } },
      "stages.bank: auxiliary.width: 20 is no multiple of the ancestor's head size 8; change it or give auxiliary.heads",
    ],
    [
      'a distillation without a loss',
      { stages: { ...others, bank: { ...others.bank, kd: { weight: 0 }, ce: { weight: 0 } } } },
      'stages.bank: kd.weight and ce.weight: both are 0, which leaves no loss; raise one of them',
    ],
    [
      'a loss that needs an ancestor',
      { stages: { ...others, fit: { templates: 'bank', scalers: 'init', kd: { weight: 1 } } } },
      'stages.fit: kd.weight: 1 needs an ancestor',
    ],
    [
      'an option that the method does not have',
      { stages: { ...others, init: { templates: 'bank', options: { strat: 'random' } } } },
      'stages.init: method wave: options: Unrecognized key: "strat"',
    ],
    [
      'an input that the method does not start from',
      { stages: { ...others, init: { ancestor: 'ancestor' } } },
      'stages.init: method wave starts from templates:, found ancestor:',
    ],
    [
      'an input that the method does not read',
      { stages: { ...others, sliced: { stage: 'init', method: 'deit', templates: 'bank', scalers: 'bank' } } },
      'stages.sliced: method deit reads no scalers; leave scalers: out',
    ],
    [
      'weights instead of scalers that a method does not have',
      { stages: { ...others, sliced: { stage: 'init', method: 'deit', templates: 'bank', materialise: true } } },
      'materialise: deit always writes a model; leave it out',
    ],
  ])('refuse %s before anything is run', async (_name, more, message) => {
    await expect(load('refused', { ...chain, ...more })).rejects.toThrow(message);
  });
});

describe('init of templates in a file', () => {
  const stages = { init: { templates: join(root, 'files', 'templates.safetensors') } };
  const random = { init: { ...stages.init, options: { start: 'random' } } };
  const init = (given: object, out: string) =>
    load(out, {
      data: undefined,
      model: undefined,
      engine: undefined,
      eval: undefined,
      train: undefined,
      targets,
      stages: given,
    });
  const targets = [{ depth: 4, width: 32 }];
  const planned = async (given: object, out: string) =>
    (await planPipeline(await init(given, out))).map(({ status, reason }) => [status, reason]);
  const scalers = join(root, 'files', 'scalers.safetensors');

  it.each([
    ['inherited', stages],
    ['random', random],
  ])('runs again (%s) when the scalers beside them are others', async (out, given) => {
    await saveBank(join(root, 'files'));
    await runPipeline(await init(given, out), context());
    expect(await planned(given, out)).toEqual([['up to date', null]]);
    const { spec, values } = await loadScalers(scalers);
    const changed = new Map([...values].map(([name, numbers]) => [name, numbers.map((value) => 2 * value)]));
    await saveScalers(scalers, { spec, values: changed, lineage: LINEAGE });
    expect(await planned(given, out)).toEqual([['run', 'input scalers is new']]);
  });

  it('takes those that the stage of the templates makes', async () => {
    const chained = { bank: { stage: 'distill', ancestor: './m' }, init: { templates: 'bank' } };
    const { tasks, stages: read } = await load('implied', { model: undefined, targets, stages: chained });
    expect(tasks.at(-1)?.stage.inputs.get('scalers')).toEqual({ type: 'stage', stage: read[0] });
  });

  it('is refused in the plan when they are gone, unless it is random', async () => {
    await saveBank(join(root, 'files'));
    rmSync(scalers);
    const message = `stages.init: start inherit needs the auxiliary model's scalers, and there is no ${scalers}; name them`;
    await expect(planned(stages, 'gone')).rejects.toThrow(ConfigError);
    await expect(planned(stages, 'gone')).rejects.toThrow(message);
    expect(await planned(random, 'gone')).toEqual([['run', 'new']]);
  });
});

describe('eval', () => {
  it('measures what training has measured, for each target and for a file', async () => {
    const stages = {
      scratch: { stage: 'pretrain', each: 'targets' },
      again: { stage: 'eval', model: 'scratch' },
      file: { stage: 'eval', model: join(root, 'measured', 'scratch', '16x2') },
    };
    const targets = [
      { depth: 1, width: 32 },
      { depth: 2, width: 16 },
    ];
    const { file: _, ...first } = stages;
    await runPipeline(await load('measured', { targets, stages: first }), context());
    const { targets: rows, stages: tasks } = await runPipeline(await load('measured', { targets, stages }), context());
    for (const { accuracy } of rows) expect(accuracy.again).toBe(accuracy.scratch);
    expect(tasks.at(-1)?.measures.accuracy).toBe(rows[1].accuracy.again);
  });

  it('is not run again for settings of training', async () => {
    const { tasks } = await load('idle', { stages: { a: { stage: 'eval', model: './m' }, b: { stage: 'pretrain' } } });
    expect(Object.keys(tasks[0].config as object).sort()).toEqual(['data', 'engine', 'eval', 'onnx', 'seed']);
  });

  it('refuses an engine that is not there before anything is run', async () => {
    const stages = {
      ancestor: { stage: 'pretrain' },
      again: { stage: 'eval', model: 'ancestor', engine: { device: 'cud' } },
    };
    await expect(load('engine', { stages })).rejects.toThrow(/^p\.yaml:1:\d+: stages\.again: .*'cud'/);
  });
});
