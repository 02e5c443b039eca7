/** The commands that run a stage: what they hand to it, and how they print what comes back. Only the stages are fakes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { ConfigError } from '#wave/base/errors.js';
import type { StageContext } from '#wave/stages/context.js';
import { onlyDocument, wave } from './support.js';

const engineSchema = z.strictObject({
  name: z.enum(['ort', 'tensorflow']).default('ort'),
  device: z.string().default('cpu'),
  threads: z.int().min(1).nullable().default(null),
});
const schema = z.strictObject({
  seed: z.int().default(0),
  epochs: z.int().default(3),
  engine: engineSchema.prefault({}),
});

const pretrain = vi.fn();
const checkPretrain = vi.fn();
const distill = vi.fn();
const checkDistill = vi.fn();
const fit = vi.fn();
const checkFit = vi.fn();
const finetune = vi.fn();
const checkFinetune = vi.fn();
const evaluate = vi.fn();
const predict = vi.fn();
vi.mock('#wave/stages/pretrain.js', () => ({ pretrain, checkPretrain, pretrainSchema: schema }));
vi.mock('#wave/stages/distill.js', () => ({ distill, checkDistill, distillSchema: schema }));
vi.mock('#wave/stages/fit.js', () => ({ fit, checkFit, fitSchema: schema }));
vi.mock('#wave/stages/finetune.js', () => ({ finetune, checkFinetune, finetuneSchema: schema }));
vi.mock('#wave/stages/evaluate.js', () => ({ evaluate, evaluateSchema: schema }));
vi.mock('#wave/stages/predict.js', () => ({ predict }));

let folder: string;
let config: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wave-stages-'));
  config = join(folder, 'a.yaml');
  await writeFile(config, 'epochs: 5\n');
});

afterAll(() => rm(folder, { recursive: true }));

beforeEach(() => {
  vi.resetAllMocks();
  pretrain.mockResolvedValue(trained);
  distill.mockResolvedValue(distilled);
  fit.mockResolvedValue(fitted);
  finetune.mockResolvedValue({ ...trained, trainable: 1234, head: 'new' });
  evaluate.mockResolvedValue(measured);
  predict.mockResolvedValue(predicted);
});

const trained = {
  model: 'runs/a/model.safetensors',
  steps: 1200,
  epochs: 3,
  top1: 0.8761,
  top5: 0.991,
  loss: 0.41234,
  parameters: 1_200_000,
  imagesPerSecond: 1234.5,
  dataWait: 0.034,
  seconds: 201,
  engine: 'ort',
  device: 'cpu',
};
const { model: _model, parameters: _parameters, ...quality } = trained;
const distilled = {
  ...quality,
  templates: 'runs/b/templates.safetensors',
  scalers: 'runs/b/scalers.safetensors',
  ancestorTrainTop1: 0.951,
  templateParameters: 27_572,
  scalerParameters: 3514,
  ancestorParameters: 305_034,
  templateShare: 0.0904,
  auxiliary: { depth: 6, width: 64, heads: 2 },
  sizes: [{ depth: 3, width: 32, heads: 1 }],
  compiledMemory: 300 * 2 ** 20,
  peakMemory: 640 * 2 ** 20,
};
const fitted = {
  ...quality,
  scalers: 'runs/f/scalers.safetensors',
  model: 'runs/f/model.safetensors',
  startTop1: 0.3412,
  scalerParameters: 3514,
  parameters: 305_034,
  head: 'kept',
};
const measured = { top1: 0.8761, top5: 0.991, loss: 0.41234, images: 10_000, imagesPerSecond: 2345.6 };
const predicted = {
  classes: 3,
  predictions: [
    {
      input: 'a.png',
      index: 0,
      top: [
        { label: 'cat', class: 2, probability: 0.75 },
        { label: 'dog', class: 0, probability: 0.2 },
      ],
    },
    { input: 'b.png', index: 0, top: [{ label: 'dog', class: 0, probability: 0.5 }] },
  ],
};

describe('pretrain', () => {
  it('runs the stage with the settings of file, --set and flags, the later winning', async () => {
    const words = [
      'pretrain',
      '--config',
      config,
      '--out',
      'runs/a',
      '--set',
      'seed=1',
      '--set',
      'engine.device=webgpu',
    ];
    await wave([...words, '--seed', '7', '--threads', '2']);
    expect(pretrain).toHaveBeenCalledOnce();
    const [settings, out, context] = pretrain.mock.calls[0] as [unknown, unknown, StageContext];
    expect(settings).toEqual({ seed: 7, epochs: 5, engine: { name: 'ort', device: 'webgpu', threads: 2 } });
    expect(out).toEqual({ dir: 'runs/a', force: false, resume: false });
    expect(context.command).toBe(['wave', ...words, '--seed 7 --threads 2'].join(' '));
    expect(context.signal.aborted).toBe(false);
  });

  it('prints a table', async () => {
    const { code, stdout } = await wave(['pretrain', '--config', config, '--out', 'runs/a', '--force']);
    expect(code).toBe(0);
    expect(pretrain.mock.calls[0][1]).toEqual({ dir: 'runs/a', force: true, resume: false });
    expect(stdout).toMatchInlineSnapshot(`
      "model       runs/a/model.safetensors
      top-1       87.6 %
      top-5       99.1 %
      loss        0.4123
      parameters  1200000
      trained     1200 steps, 3 epochs
      time        3:21, 1235 images/s, 3 % waiting for data
      engine      ort/cpu
      "
    `);
  });

  it('tells which model was the best, where it was kept', async () => {
    const best = { step: 800, top1: 0.88, model: 'runs/a/best.safetensors' };
    pretrain.mockResolvedValueOnce({ ...trained, best });
    const { stdout } = await wave(['pretrain', '--config', config, '--out', 'runs/a']);
    expect(stdout).toContain('\nbest        88.0 % after step 800, runs/a/best.safetensors\n');
  });

  it('hands --resume and --force to the stage, which refuses both together', async () => {
    const words = ['pretrain', '--config', config, '--out', 'runs/a', '--resume'];
    await wave(words);
    expect(pretrain.mock.calls[0][1]).toEqual({ dir: 'runs/a', force: false, resume: true });
    await wave([...words, '--force']);
    expect(pretrain.mock.calls[1][1]).toEqual({ dir: 'runs/a', force: true, resume: true });
  });

  it('prints the result as JSON', async () => {
    const { stdout } = await wave(['pretrain', '--config', config, '--out', 'runs/a', '--json']);
    expect(onlyDocument(stdout)).toEqual({ ok: true, result: trained });
  });

  it('prints all settings and starts nothing with --dry-run', async () => {
    const { code, stdout } = await wave(['pretrain', '--config', config, '--out', 'runs/a', '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toContain('\nengine:\n  device: cpu\n  name: ort\n  threads: null\nepochs: 5\nseed: 0\n');
    expect(pretrain).not.toHaveBeenCalled();
  });

  it('lets the stage check the settings with --dry-run', async () => {
    checkPretrain.mockImplementation(() => {
      throw new ConfigError('model: width 64 is not divisible by heads 3');
    });
    const { code, stdout, stderr } = await wave(['pretrain', '--config', config, '--out', 'runs/a', '--dry-run']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe('wave: error: model: width 64 is not divisible by heads 3\n');
  });

  it('prints all settings as JSON with --dry-run --json', async () => {
    const { stdout } = await wave(['pretrain', '--config', config, '--out', 'runs/a', '--dry-run', '--json']);
    expect(onlyDocument(stdout)).toEqual({
      ok: true,
      result: { dryRun: true, config: { seed: 0, epochs: 5, engine: { name: 'ort', device: 'cpu', threads: null } } },
    });
  });

  it('refuses wrong settings with one line each, before anything is started', async () => {
    const bad = join(folder, 'bad.yaml');
    await writeFile(bad, 'epocs: 5\nseed: many\n');
    const { code, stdout, stderr } = await wave(['pretrain', '--config', bad, '--out', 'runs/a']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/^wave: error: .*bad\.yaml:1:1: .*epocs.*epochs/),
      expect.stringMatching(/^wave: error: .*bad\.yaml:2:7: seed: /),
      '',
    ]);
    expect(pretrain).not.toHaveBeenCalled();
  });

  it('names the flag that is wrong for the settings', async () => {
    const { code, stderr } = await wave(['pretrain', '--config', config, '--out', 'a', '--set', 'engine.threads=0']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^wave: error: --set engine\.threads=0: [^\n]+\n$/);
  });

  it('shows the progress of the stage on stderr', async () => {
    pretrain.mockImplementation(async (_config: unknown, _out: unknown, { emit }: StageContext) => {
      emit({ type: 'phase', text: 'training' });
      return trained;
    });
    const words = ['pretrain', '--config', config, '--out', 'runs/a'];
    expect((await wave(words)).stderr).toBe('wave: training\n');
    expect((await wave([...words, '--quiet'])).stderr).toBe('');
    expect((await wave([...words, '--progress', 'none'])).stderr).toBe('');
    expect(onlyDocument((await wave([...words, '--json'])).stdout)).toMatchObject({ ok: true });
  });
});

describe('distill', () => {
  const words = () => ['distill', '--ancestor', 'a.safetensors', '--config', config, '--out', 'runs/b'];

  it('hands ancestor, settings and folder to the stage', async () => {
    expect((await wave(words())).code).toBe(0);
    await wave([...words(), '--ancestor-heads', '3', '--resume', '--seed', '7']);
    expect(distill.mock.calls.map(([, ...rest]) => rest.slice(0, 2))).toEqual([
      [{ ancestor: 'a.safetensors' }, { dir: 'runs/b', force: false, resume: false }],
      [
        { ancestor: 'a.safetensors', heads: 3 },
        { dir: 'runs/b', force: false, resume: true },
      ],
    ]);
    expect(distill.mock.calls[1]?.[0]).toMatchObject({ seed: 7, epochs: 5 });
  });

  it('prints a table', async () => {
    expect((await wave(words())).stdout).toMatchInlineSnapshot(`
      "templates  runs/b/templates.safetensors
      scalers    runs/b/scalers.safetensors
      top-1      87.6 %
      top-5      99.1 %
      loss       0.4123
      ancestor   95.1 % on training images, 305034 parameters
      bank       27572 parameters, 9.0 % of the ancestor
      auxiliary  3514 parameters in its scalers
      sizes      64x6, 32x3
      memory     640 MiB at most
      trained    1200 steps, 3 epochs
      time       3:21, 1235 images/s, 3 % waiting for data
      engine     ort/cpu
      "
    `);
  });

  it('prints the result as JSON', async () => {
    expect(onlyDocument((await wave([...words(), '--json'])).stdout)).toEqual({ ok: true, result: distilled });
  });

  it('needs an ancestor', async () => {
    const { code, stderr } = await wave(['distill', '--config', config, '--out', 'runs/b']);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('--ancestor') });
    expect(distill).not.toHaveBeenCalled();
  });

  it('checks the settings and starts nothing with --dry-run', async () => {
    expect((await wave([...words(), '--dry-run'])).stdout).toContain('epochs: 5\n');
    expect(checkDistill).toHaveBeenCalledOnce();
    expect(distill).not.toHaveBeenCalled();
  });
});

describe('fit', () => {
  const words = () =>
    ['fit', '--templates', 't', '--scalers', 's', '--config', config, '--out', 'runs/f'] satisfies string[];

  it('hands its inputs, settings and folder to the stage', async () => {
    expect((await wave(words())).code).toBe(0);
    await wave([...words(), '--ancestor', 'a', '--ancestor-heads', '3', '--force']);
    expect(fit.mock.calls.map(([, ...rest]) => rest.slice(0, 2))).toEqual([
      [
        { templates: 't', scalers: 's' },
        { dir: 'runs/f', force: false, resume: false },
      ],
      [
        { templates: 't', scalers: 's', ancestor: 'a', heads: 3 },
        { dir: 'runs/f', force: true, resume: false },
      ],
    ]);
  });

  it('prints a table', async () => {
    expect((await wave(words())).stdout).toMatchInlineSnapshot(`
      "scalers     runs/f/scalers.safetensors
      model       runs/f/model.safetensors
      top-1       87.6 %
      top-5       99.1 %
      loss        0.4123
      at start    top-1 34.1 %
      parameters  3514 trained, of a model of 305034
      head        kept
      trained     1200 steps, 3 epochs
      time        3:21, 1235 images/s, 3 % waiting for data
      engine      ort/cpu
      "
    `);
    fit.mockResolvedValue({ ...fitted, ancestorTrainTop1: 0.951 });
    expect((await wave(words())).stdout).toContain('\nancestor    95.1 % on training images\n');
  });

  it('prints the result as JSON', async () => {
    expect(onlyDocument((await wave([...words(), '--json'])).stdout)).toEqual({ ok: true, result: fitted });
  });

  it('refuses heads without an ancestor, and a call without scalers', async () => {
    const { code, stderr } = await wave([...words(), '--ancestor-heads', '3']);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'wave: error: --ancestor-heads is for an ancestor; leave it out, or give --ancestor\n',
    });
    expect((await wave([...words(), '--ancestor', 'a', '--heads', '3'])).code).toBe(2);
    expect((await wave(['fit', '--templates', 't', '--config', config, '--out', 'x'])).code).toBe(2);
    expect(fit).not.toHaveBeenCalled();
  });

  it('checks the settings against the inputs and starts nothing with --dry-run', async () => {
    expect((await wave([...words(), '--ancestor', 'a', '--dry-run'])).stdout).toContain('epochs: 5\n');
    expect(checkFit.mock.calls[0]?.[1]).toMatchObject({ ancestor: 'a' });
    expect(fit).not.toHaveBeenCalled();
  });
});

describe('finetune', () => {
  const common = () => ['finetune', '--config', config, '--out', 'runs/f'];

  it('hands a model, or templates and scalers, to the stage', async () => {
    await wave([...common(), '--model', 'm', '--seed', '7']);
    await wave([...common(), '--model', 'm', '--heads', '3', '--force']);
    await wave([...common(), '--templates', 't', '--scalers', 's', '--resume']);
    const out = { dir: 'runs/f', force: false, resume: false };
    expect(finetune.mock.calls.map(([, ...rest]) => rest.slice(0, 2))).toEqual([
      [{ model: 'm' }, out],
      [
        { model: 'm', heads: 3 },
        { ...out, force: true },
      ],
      [
        { templates: 't', scalers: 's' },
        { ...out, resume: true },
      ],
    ]);
    expect(finetune.mock.calls[0][0]).toMatchObject({ seed: 7, epochs: 5 });
  });

  it.each([
    [[], 'found none of them'],
    [['--templates', 't'], 'found --templates'],
    [['--scalers', 's'], 'found --scalers'],
    [['--model', 'm', '--scalers', 's'], 'found --model and --scalers'],
    [['--model', 'm', '--templates', 't', '--scalers', 's'], 'found --model and --templates and --scalers'],
  ])('refuses %j as inputs', async (words, found) => {
    const { code, stderr } = await wave([...common(), ...words]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `wave: error: give --model FILE, or --templates FILE and --scalers FILE; ${found}\n`,
    });
    expect(finetune).not.toHaveBeenCalled();
  });

  it('refuses --heads where scalers know them', async () => {
    const parts = ['--templates', 't', '--scalers', 's'];
    expect(await wave([...common(), ...parts, '--heads', '3'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^wave: error: --heads is for a checkpoint given by --model: [^\n]+\n$/),
    });
    expect(finetune).not.toHaveBeenCalled();
  });

  it('prints a table, or JSON', async () => {
    const words = [...common(), '--model', 'm'];
    const table = (await wave(words)).stdout;
    expect(table).toContain(
      '\nparameters  1200000\ntrainable   1234\nhead        new\ntrained     1200 steps, 3 epochs\n',
    );
    const { stdout } = await wave([...words, '--json']);
    expect(onlyDocument(stdout)).toEqual({ ok: true, result: { ...trained, trainable: 1234, head: 'new' } });
  });

  it('checks the settings and starts nothing with --dry-run', async () => {
    const { code, stdout } = await wave([...common(), '--model', 'm', '--dry-run']);
    expect(code).toBe(0);
    expect(stdout).toContain('\nepochs: 5\n');
    expect(checkFinetune).toHaveBeenCalledOnce();
    expect(finetune).not.toHaveBeenCalled();
  });
});

describe('eval', () => {
  it('runs the stage on the model and prints a table', async () => {
    const { code, stdout } = await wave(['eval', 'm.safetensors', '--config', config]);
    expect(code).toBe(0);
    const [source, settings] = evaluate.mock.calls[0];
    expect(source).toEqual({ model: 'm.safetensors' });
    expect(settings).toMatchObject({ epochs: 5 });
    expect(stdout).toMatchInlineSnapshot(`
      " top-1   top-5    loss  images  images/s
      ------  ------  ------  ------  --------
      87.6 %  99.1 %  0.4123   10000      2346
      "
    `);
  });

  it.each([
    ['0.8761', 0],
    ['0.8762', 3],
  ])('with --min-accuracy %s exits with %i', async (limit, code) => {
    const result = await wave(['eval', 'm.safetensors', '--config', config, '--min-accuracy', limit]);
    expect(result.code).toBe(code);
    expect(result.stdout).toContain('87.6 %');
    const error = `wave: error: m.safetensors: top-1 accuracy must be at least ${limit}; found 0.8761\n`;
    expect(result.stderr).toBe(code === 0 ? '' : error);
  });

  it('measures templates and scalers instead of a model', async () => {
    await wave(['eval', '--config', config, '--templates', 't', '--scalers', 's']);
    expect(evaluate.mock.calls[0][0]).toEqual({ templates: 't', scalers: 's' });
  });

  it.each([
    [[], 'none of them'],
    [['--scalers', 's'], '--scalers'],
    [['m', '--templates', 't', '--scalers', 's'], 'MODEL and --templates and --scalers'],
  ])('refuses %j, which names no model', async (words, found) => {
    const { code, stderr } = await wave(['eval', '--config', config, ...words]);
    expect([code, stderr]).toEqual([
      2,
      `wave: error: give MODEL, or --templates FILE and --scalers FILE; found ${found}\n`,
    ]);
    expect(evaluate).not.toHaveBeenCalled();
  });

  it('hands --heads to the stage', async () => {
    await wave(['eval', 'm.safetensors', '--config', config, '--heads', '3']);
    expect(evaluate.mock.calls[0][0]).toEqual({ model: 'm.safetensors', heads: 3 });
  });

  it('refuses a percentage as --min-accuracy', async () => {
    const { code, stderr } = await wave(['eval', 'm.safetensors', '--config', config, '--min-accuracy', '85']);
    expect(code).toBe(2);
    expect(stderr).toContain('flag --min-accuracy must be a number from 0 to 1; found "85"');
  });
});

describe('predict', () => {
  it('hands everything that was given to the stage, and nothing else', async () => {
    await wave(['predict', 'm.safetensors', 'a.png', '007.png']);
    await wave(['predict', 'm', 'a', '--heads=3', '--top=1', '--logits', join(folder, 'l'), '--device', 'webgpu']);
    const pixels = [
      '--mean=0.1,0.2,0.3',
      '--std=0.5',
      '--crop-pct=0.9',
      '--interpolation=lanczos',
      '--resize-mode=squash',
    ];
    await wave(['predict', 'm', 'a', ...pixels]);
    expect(predict.mock.calls.map(([options]) => options)).toEqual([
      { model: 'm.safetensors', inputs: ['a.png', '007.png'], top: 5, preprocess: {}, engine: {} },
      {
        model: 'm',
        inputs: ['a'],
        top: 1,
        heads: 3,
        preprocess: {},
        logitsOut: join(folder, 'l'),
        engine: { device: 'webgpu' },
      },
      {
        model: 'm',
        inputs: ['a'],
        top: 5,
        preprocess: { mean: [0.1, 0.2, 0.3], std: [0.5], cropPct: 0.9, interpolation: 'lanczos', resizeMode: 'squash' },
        engine: {},
      },
    ]);
  });

  it('prints the best classes of each input', async () => {
    const { stdout } = await wave(['predict', 'm.safetensors', 'a.png', 'b.png']);
    expect(stdout).toMatchInlineSnapshot(`
      "input  rank  label  class  probability
      -----  ----  -----  -----  -----------
      a.png     1  cat        2       75.0 %
                2  dog        0       20.0 %
      b.png     1  dog        0       50.0 %
      "
    `);
  });

  it('tells the images of one file apart', async () => {
    const top = [{ label: 'dog', class: 0, probability: 0.5 }];
    const predictions = [
      { input: 'a.safetensors', index: 0, top },
      { input: 'a.safetensors', index: 1, top },
      { input: 'b.safetensors', index: 0, top },
    ];
    predict.mockResolvedValue({ classes: 3, predictions });
    const { stdout } = await wave(['predict', 'm.safetensors', 'a.safetensors', 'b.safetensors']);
    const inputs = stdout.split('\n').slice(2, -1);
    expect(inputs.map((line) => line.split(' ', 1)[0])).toEqual([
      'a.safetensors[0]',
      'a.safetensors[1]',
      'b.safetensors',
    ]);
  });

  it('refuses to show no classes', async () => {
    const { code, stderr } = await wave(['predict', 'm.safetensors', 'a.png', '--top', '0']);
    expect(code).toBe(2);
    expect(stderr).toContain('flag --top must be a whole number, 1 or more; found "0"');
    expect(predict).not.toHaveBeenCalled();
  });

  it('replaces a file of logits only with --force', async () => {
    const words = ['predict', 'm.safetensors', 'a.png', '--logits', config];
    expect(await wave(words)).toEqual({
      code: 2,
      stdout: '',
      stderr: `wave: error: ${config}: is already there; --force replaces it\n`,
    });
    expect(predict).not.toHaveBeenCalled();
    expect((await wave([...words, '--force'])).code).toBe(0);
  });
});
