/** A convolutional classifier in an ONNX file as ancestor: of a distillation, of a fit, in a pipeline; and measured itself. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError, ResumeError } from '#wave/base/errors.js';
import { sha256File } from '#wave/base/sha256.js';
import { CheckpointError, openSafetensors, readArtifactInfo } from '#wave/checkpoint/index.js';
import { checkDistill, type DistillConfig, type DistillResult, distill, distillSchema } from '#wave/stages/distill.js';
import { type EvaluateResult, evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { fitSchema, fit as fitStage } from '#wave/stages/fit.js';
import { initTarget } from '#wave/stages/init.js';
import { loadPipeline, planPipeline, runPipeline } from '#wave/stages/pipeline/index.js';
import { loadTemplates } from '#wave/wave/index.js';
import { DATA } from './distill-support.js';
import { onnxFixture, TRAINED, TRAINED_SETTINGS } from './onnx-support.js';
import { context, PICO } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-onnx-'));
afterAll(() => rmSync(root, { recursive: true }));
const at = (...names: string[]) => join(root, ...names);
const out = (name: string, resume = false) => ({ dir: at(name), force: false, resume });

const AUXILIARY = { depth: 2, width: 32, heads: 2, patch: 4 };
const { seed, engine, eval: evaluation } = PICO;
const COMMON = { seed, engine, eval: evaluation, data: DATA, onnx: TRAINED_SETTINGS };

/** Settings of a distillation: 16 steps an epoch, templates of width 16, one size besides the auxiliary model's. */
function settings(changes: Record<string, object | string> = {}): DistillConfig {
  return distillSchema.parse({
    ...COMMON,
    train: { epochs: 2, batch: 32, log_every: 4 },
    templates: { count: 4 },
    auxiliary: AUXILIARY,
    distill: { sizes: [{ depth: 3, width: 16 }] },
    ...changes,
  });
}

let learned: DistillResult;
beforeAll(async () => {
  const config = settings({ train: { epochs: 16, batch: 32, lr: 4e-3, log_every: 4 } });
  learned = await distill(config, { ancestor: TRAINED }, out('learned'), context());
});

const metrics = (name: string): Record<string, number>[] =>
  readFileSync(at(name, 'metrics.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

async function written(name: string): Promise<Map<string, Float32Array>> {
  const read = new Map<string, Float32Array>();
  for (const kind of ['templates', 'scalers']) {
    const file = await openSafetensors(at(name, `${kind}.safetensors`));
    for (const tensor of file.tensors.keys()) read.set(`${kind} ${tensor}`, await file.readFloat32(tensor));
    await file.close();
  }
  return read;
}

describe('a bank of an ONNX ancestor', () => {
  it('learns from its answers', () => {
    expect(learned.ancestorTrainTop1).toBeGreaterThan(0.95);
    const kd = metrics('learned').flatMap((line) => (line.kd === undefined ? [] : [line.kd]));
    expect(kd.at(-1)).toBeLessThan(0.7 * (kd[0] as number));
    expect(learned.top1).toBeGreaterThan(0.5);
  });

  it('has the sizes of the settings, templates of the head size, and a random start', () => {
    expect(learned.auxiliary).toEqual({ depth: 2, width: 32, heads: 2 });
    expect(learned.sizes).toEqual([{ depth: 3, width: 16, heads: 1 }]);
    expect(learned.startErrors).toBeUndefined();
  });

  it('counts the numbers that the file stores', () => {
    expect(learned.ancestorParameters).toBe(1460);
    expect(learned.templateShare).toBe(learned.templateParameters / 1460);
  });

  it('is that of a ViT with a class token, on the pixels of the data', async () => {
    const { spec } = await loadTemplates(learned.templates);
    expect(spec.templates).toEqual({ width: 16, count: 4, small_count: 1, kronecker: 'template-outer' });
    expect(spec.model).toMatchObject({
      image: [16, 16],
      patch: 4,
      channels: 1,
      hidden: 128,
      classes: 4,
      pool: 'token',
      class_token: true,
      preprocess: { mean: [0.5], std: [0.5] },
    });
  });

  it('names the file in its lineage', async () => {
    const file = await openSafetensors(learned.templates);
    const info = readArtifactInfo(file);
    await file.close();
    expect(info?.lineage?.parents).toEqual([{ name: 'ancestor', sha256: await sha256File(TRAINED) }]);
  });
});

/** Stops when `step` is reported. */
async function interruptedAt(config: DistillConfig, name: string, step: number): Promise<void> {
  const stopping = context((event, stop) => {
    if (event.type === 'step' && event.step === step) stop();
  });
  await expect(distill(config, { ancestor: TRAINED }, out(name), stopping)).rejects.toThrow(InterruptedError);
}

describe('a run', () => {
  const remembered = settings();
  const asking = { type: 'phase', text: 'asking the ancestor about 512 images' };

  it('asks about each image once where images stay the same, which changes nothing', async () => {
    const told = context();
    await distill(remembered, { ancestor: TRAINED }, out('remembered'), told);
    expect(told.events).toContainEqual(asking);
    // Near its end a run does not remember.
    await interruptedAt(remembered, 'live', 20);
    const live = context();
    await distill(remembered, { ancestor: TRAINED }, out('live', true), live);
    expect(live.events).not.toContainEqual(asking);
    expect(await written('live')).toEqual(await written('remembered'));
  });

  it('gives the same bytes when it was interrupted, images that change included', async () => {
    const config = settings({ data: { ...DATA, augment: { pad_crop: 1, flip: true } } });
    await distill(config, { ancestor: TRAINED }, out('whole'), context());
    await interruptedAt(config, 'stopped', 12);
    await distill(config, { ancestor: TRAINED }, out('stopped', true), context());
    expect(await written('stopped')).toEqual(await written('whole'));
  });

  it('is not resumed with another ancestor', async () => {
    await interruptedAt(remembered, 'swapped', 4);
    const other = at('other.onnx');
    // One more field of no meaning: another file, the same model.
    writeFileSync(other, Buffer.concat([readFileSync(TRAINED), Buffer.from([0x32, 1, 0x78])]));
    const refused = distill(remembered, { ancestor: other }, out('swapped', true), context());
    await expect(refused).rejects.toThrow(ResumeError);
    await expect(refused).rejects.toThrow(/was saved with another file as ancestor/);
  });

  it('ends with its thread: another may follow in this process', async () => {
    const config = settings({ train: { steps: 2, batch: 32 }, start: 'random' });
    const threads: unknown[] = [];
    const count = (worker: unknown) => threads.push(worker);
    process.on('worker', count);
    await distill(config, { ancestor: TRAINED }, out('short'), context());
    process.off('worker', count);
    const ended = threads.map((worker) => (worker as { threadId: number }).threadId);
    expect(ended.length).toBeGreaterThan(2);
    expect(ended.every((id) => id === -1)).toBe(true);
  });
});

describe('scalers', () => {
  it('are fitted to its answers', async () => {
    const config = fitSchema.parse({
      ...COMMON,
      data: { ...DATA, fraction: 0.5 },
      train: { steps: 40, batch: 32, log_every: 4 },
    });
    const { templates, scalers } = learned;
    const result = await fitStage(config, { templates, scalers, ancestor: TRAINED }, out('fit'), context());
    expect(result.ancestorTrainTop1).toBeGreaterThan(0.95);
    const kd = metrics('fit').flatMap((line) => (line.kd === undefined ? [] : [line.kd]));
    expect(kd.length).toBeGreaterThan(5);
    expect(result.top1).toBeGreaterThan((result.startTop1 ?? 1) - 0.05);
    const file = await openSafetensors(result.scalers);
    const parents = readArtifactInfo(file)?.lineage?.parents.map(({ name }) => name);
    await file.close();
    expect(parents).toEqual(['templates', 'scalers', 'ancestor']);
  });
});

describe('a classifier that is measured', () => {
  const measure = (model: string, changes: object = {}): Promise<EvaluateResult> =>
    evaluate({ model }, evaluateSchema.parse({ ...COMMON, ...changes }), context());

  it('is as good on images that it has not seen', async () => {
    const result = await measure(TRAINED);
    expect(result.images).toBe(130);
    expect(result.top1).toBeGreaterThan(0.9);
    expect(result.loss).toBeLessThan(0.4);
  });

  it('is the same in batches of any size', async () => {
    const [small, large] = [
      await measure(TRAINED, { eval: { batch: 7 } }),
      await measure(TRAINED, { eval: { batch: 130 } }),
    ];
    expect(small).toMatchObject({ top1: large.top1, top5: large.top5, images: 130 });
    expect(small.loss).toBeCloseTo(large.loss, 5);
  });

  it('takes the settings of the distillation as they are', async () => {
    const { distill: sizes, templates, auxiliary, train } = settings();
    const result = await measure(TRAINED, { distill: sizes, templates, auxiliary, train });
    expect(result.images).toBe(130);
  });

  it('is worse with the normalisation of the data, which is not its own', async () => {
    const [own, other] = [await measure(TRAINED), await measure(TRAINED, { onnx: { gives: 'logits' } })];
    expect(other.loss).toBeGreaterThan(own.loss);
  });

  it('of a fixed batch is measured on all images', async () => {
    const onnx = { gives: 'probabilities', mean: [0.3], std: [0.4] };
    const result = await measure(onnxFixture('fixed-softmax.onnx'), { onnx });
    expect(result.images).toBe(130);
    expect(Number.isFinite(result.loss)).toBe(true);
  });

  it('has no heads', async () => {
    const config = evaluateSchema.parse(COMMON);
    await expect(evaluate({ model: TRAINED, heads: 2 }, config, context())).rejects.toThrow(
      /trained\.onnx: --heads is for a ViT checkpoint, not an ONNX model; leave it out/,
    );
  });
});

describe('what is refused, with nothing written', () => {
  const refused = async (
    changes: Record<string, object | string>,
    message: RegExp,
    ancestor = TRAINED,
    heads?: number,
  ) => {
    const inputs = { ancestor, ...(heads === undefined ? {} : { heads }) };
    const running = distill(settings(changes), inputs, out('refused'), context());
    await expect(running).rejects.toThrow(message);
    await expect(running).rejects.toThrow(/^[^\n]+$/);
    expect(existsSync(at('refused'))).toBe(false);
  };

  it.each<[string, Record<string, object | string>, RegExp]>([
    [
      'a start of weights that are not there',
      { start: 'closed-form' },
      /^start: closed-form is made of the ancestor's weights, and/,
    ],
    [
      'sizes that nobody gives',
      { auxiliary: { width: 32, heads: 2 } },
      /^auxiliary\.depth, auxiliary\.patch: are missing; an ONNX/,
    ],
    ['one size that is missing', { auxiliary: { ...AUXILIARY, patch: null } }, /^auxiliary\.patch: is missing;/],
    [
      'heads that do not divide',
      { auxiliary: { ...AUXILIARY, heads: 3 } },
      /^auxiliary: model: width 32 is not divisible by heads 3/,
    ],
    ['a patch that does not divide', { auxiliary: { ...AUXILIARY, patch: 5 } }, /16x16 is not divisible by patch 5/],
    ['an output of unknown meaning', { onnx: {} }, /^onnx\.gives: .* does not say what its output is/],
    [
      'an output of another meaning',
      { onnx: { ...TRAINED_SETTINGS, gives: 'probabilities' } },
      /^onnx\.gives: probabilities, but/,
    ],
  ])('is %s', (_name, changes, message) => refused(changes, message));

  it('is all that settings and file leave open, told at once before data is opened', async () => {
    const data = { ...DATA, source: 'folder', train: { folder: at('none') }, test: { folder: at('none') } };
    const config = settings({ data, start: 'closed-form', auxiliary: { depth: 2 }, onnx: {} });
    const running = distill(config, { ancestor: TRAINED }, out('refused'), context());
    await expect(running).rejects.toThrow(ConfigError);
    await expect(running).rejects.toThrow(
      /^start: closed-form .* --set start=null\nauxiliary\.width, auxiliary\.heads, auxiliary\.patch: are missing;.*\nonnx\.gives: .*$/,
    );
  });

  it('is a classifier that only guesses, with the settings that may be wrong', () =>
    refused(
      {},
      /no better than chance \(25\.0 %\); check onnx\.mean, onnx\.std, onnx\.scale and onnx\.layout/,
      onnxFixture('dynamic.onnx'),
    ));

  it('is a flag for ViTs', () =>
    refused({}, /--ancestor-heads is for a ViT checkpoint, not an ONNX model/, TRAINED, 2));

  it('is a file that cannot be run', () =>
    refused({}, /newer-opset\.onnx: needs operator set 999/, onnxFixture('bad', 'newer-opset.onnx')));

  it('is known without data where names and settings tell', () => {
    expect(() => checkDistill(settings({ start: 'closed-form' }), { ancestor: 'x.onnx' })).toThrow(ConfigError);
    expect(() => checkDistill(settings({ auxiliary: {} }), { ancestor: 'X.ONNX' })).toThrow(ConfigError);
    expect(() => checkDistill(settings({ auxiliary: {}, start: 'closed-form' }), { ancestor: 'x' })).not.toThrow();
  });

  it('is init by the weights of an ancestor that has none', async () => {
    const { findMethod } = await import('#wave/init/index.js');
    const method = await findMethod('weight-selection').load();
    const options = { method: 'weight-selection', options: {}, seed: 0, depth: 1, width: 16, ancestor: TRAINED };
    expect(method.needs).toBe('ancestor');
    const running = initTarget(
      { ...options, materialise: false },
      { path: at('no.safetensors'), force: false },
      context(),
    );
    await expect(running).rejects.toThrow(CheckpointError);
    await expect(running).rejects.toThrow(
      /trained\.onnx: is an ONNX model, not safetensors; its weights cannot be taken over/,
    );
  });
});

describe('a pipeline', () => {
  const pipeline = (text: object) => {
    const file = at('pipeline.yaml');
    writeFileSync(file, JSON.stringify(text));
    return loadPipeline({ file });
  };
  const stages = (ancestor: string) => ({
    out: at('pipeline'),
    seed,
    data: DATA,
    eval: evaluation,
    engine,
    onnx: TRAINED_SETTINGS,
    stages: {
      teacher: { stage: 'eval', model: ancestor },
      bank: {
        stage: 'distill',
        ancestor,
        train: { steps: 2, batch: 32 },
        templates: { count: 2 },
        auxiliary: AUXILIARY,
        distill: { sizes: [] },
      },
      fit: { templates: 'bank', scalers: 'bank', ancestor, train: { steps: 2, batch: 32 } },
    },
  });

  it('takes it as ancestor and as model, and runs again what read it when its weights change', async () => {
    for (const name of ['external.onnx', 'external.bin']) copyFileSync(onnxFixture(name), at(name));
    copyFileSync(TRAINED, at('teacher.onnx'));
    const loaded = await pipeline(stages(at('teacher.onnx')));
    const report = await runPipeline(loaded, context());
    expect(report.stages.map(({ status }) => status)).toEqual(['run', 'run', 'run']);
    expect(report.stages[0]?.measures.accuracy).toBeGreaterThan(0.9);
    const again = await planPipeline(loaded);
    expect(again.map(({ status }) => status)).toEqual(['up to date', 'up to date', 'up to date']);
    writeFileSync(at('teacher.onnx'), Buffer.concat([readFileSync(TRAINED), Buffer.from([0x32, 1, 0x78])]));
    const changed = await planPipeline(loaded);
    expect(changed.map(({ reason }) => reason)).toEqual([
      'input model is new',
      'input ancestor is new',
      expect.anything(),
    ]);
  });

  it('sees weights beside the file, too', async () => {
    const loaded = await pipeline({ ...stages(at('external.onnx')), out: at('external') });
    const before = await planPipeline(loaded);
    expect(before[0]?.status).toBe('run');
    rmSync(at('external.bin'));
    await expect(planPipeline(loaded)).rejects.toThrow(
      /external\.onnx: its weights are in "external\.bin", which is not/,
    );
  });

  it('refuses a start that it cannot have before anything is run', async () => {
    const text = stages(TRAINED);
    const loading = pipeline({ ...text, stages: { bank: { ...text.stages.bank, start: 'closed-form' } } });
    await expect(loading).rejects.toThrow(/stages\.bank: start: closed-form is made of the ancestor's weights/);
  });

  it('refuses it where weights are needed', async () => {
    const loaded = await pipeline({
      out: at('weights'),
      targets: [{ depth: 1, width: 16 }],
      stages: { init: { method: 'weight-selection', ancestor: TRAINED } },
    });
    await expect(planPipeline(loaded)).rejects.toThrow(/is an ONNX model, not safetensors/);
  });
});
