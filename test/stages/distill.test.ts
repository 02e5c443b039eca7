/** Distillation in this process, on the real engine: what it learns, what it leaves behind, and how it goes on. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError, ResumeError } from '#wave/base/errors.js';
import { makeLineage, openSafetensors, writeSafetensors } from '#wave/checkpoint/index.js';
import { initialise } from '#wave/model/initialise.js';
import { loadModel } from '#wave/model/load.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { saveModel } from '#wave/model/save.js';
import { checkDistill, type DistillConfig, type DistillResult, distill } from '#wave/stages/distill.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import {
  checkTogether,
  closedFormFor,
  inheritScalers,
  loadScalers,
  loadTemplates,
  materialiseValues,
  targetSpec,
} from '#wave/wave/index.js';
import { DATA, distillation, trainAncestor } from './distill-support.js';
import { context, filesIn, laterContext, nothingLeft } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-distill-'));
afterAll(() => rmSync(root, { recursive: true }));
const lineage = makeLineage({ command: '', configSha256: '', parents: [], seed: 0, engine: '', toolVersion: '' });
const out = (name: string, resume = false) => ({ dir: join(root, name), force: false, resume });
const at = (...names: string[]) => join(root, ...names);

let ancestor: string;
/** 12 epochs, augmentation off. */
let learned: DistillResult;
const long = distillation({ train: { epochs: 12, batch: 32, lr: 4e-3 } });

beforeAll(async () => {
  ancestor = await trainAncestor(root);
  learned = await distill(long, { ancestor }, out('learned'), context());
});

const metrics = (name: string): Record<string, number>[] =>
  readFileSync(at(name, 'metrics.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

async function tensors(path: string): Promise<Map<string, Float32Array>> {
  const file = await openSafetensors(path);
  const read = new Map<string, Float32Array>();
  for (const name of file.tensors.keys()) read.set(name, await file.readFloat32(name));
  await file.close();
  return read;
}
const written = async (name: string) => [
  await tensors(at(name, 'templates.safetensors')),
  await tensors(at(name, 'scalers.safetensors')),
];

/** Quality of a size that the bank in `learned` makes. */
async function accuracyAt(size: { depth: number; width: number }) {
  const [bank, scalers] = [await loadTemplates(learned.templates), await loadScalers(learned.scalers)];
  const { model: auxiliary, templates: layout } = bank.spec;
  const spec = targetSpec(bank.spec, size);
  const inherited = inheritScalers(auxiliary, spec, layout, scalers.values);
  const values = materialiseValues(spec, layout, new Map([...bank.values, ...inherited]));
  const path = at(`${size.width}x${size.depth}.safetensors`);
  await saveModel(path, { spec, values, lineage });
  const { seed, engine } = long;
  return evaluate(path, evaluateSchema.parse({ data: DATA, eval: { batch: 50 }, seed, engine }), context());
}

describe('what is learned', () => {
  it('is an auxiliary model far above the chance of 25 %', () => {
    expect(learned.ancestorTrainTop1).toBeGreaterThan(0.6);
    expect(learned.top1).toBeGreaterThan(0.55);
  });

  it('is what templates and scalers materialise to', async () => {
    const { top1, loss } = await accuracyAt({ depth: 2, width: 32 });
    expect(top1).toBe(learned.top1);
    expect(loss).toBeCloseTo(learned.loss, 4);
  });

  it('serves the other size that was trained, too', async () => {
    expect((await accuracyAt({ depth: 3, width: 16 })).top1).toBeGreaterThan(0.5);
  });

  it('is counted', () => {
    expect(learned).toMatchObject({
      auxiliary: { depth: 2, width: 32, heads: 2 },
      sizes: [{ depth: 3, width: 16, heads: 1 }],
      ancestorParameters: 26_724,
      steps: 192,
      engine: 'ort',
    });
    expect(learned.templateShare).toBe(learned.templateParameters / 26_724);
    expect(learned.peakMemory).toBeGreaterThanOrEqual(learned.compiledMemory);
    expect(learned.compiledMemory).toBeGreaterThan(2 ** 20);
  });

  it('is distilled from closed-form templates, or from random ones if asked for', async () => {
    const config = distillation({ start: 'random', train: { steps: 1, batch: 32 } });
    const random = await distill(config, { ancestor }, out('random'), context());
    const closed = await distill({ ...config, start: 'closed-form' }, { ancestor }, out('closed'), context());
    expect((await loadTemplates(random.templates)).values).not.toEqual((await loadTemplates(closed.templates)).values);
    expect(random.startErrors).toBeUndefined();
  });

  it('tells how near the closed-form start is to the ancestor, kind by kind', async () => {
    const told = context();
    const config = distillation({ train: { steps: 1, batch: 32 } });
    const { startErrors = {} } = await distill(config, { ancestor }, out('near'), told);
    const { spec, values } = await loadModel(ancestor);
    const layout = { width: 16, count: 4, small_count: 1, kronecker: 'template-outer' } as const;
    expect(startErrors).toEqual(Object.fromEntries(closedFormFor(spec, spec, values, layout, config.seed).errors));
    const matrices = ['attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2'].map(
      (name) => startErrors[`blocks.${name}.weight`],
    );
    const mean = matrices.reduce((sum, error) => sum + error / 4, 0);
    expect(told.events).toContainEqual({
      type: 'note',
      text: `closed-form start: ${(100 * mean).toFixed(1)} % of the matrices' norm is missed, for distillation to make good`,
    });
    const resumed = await distill(config, { ancestor }, out('near', true), context());
    expect(resumed.startErrors).toBeUndefined();
  });
});

describe('a run', () => {
  it('leaves its artifacts, and no temporary file', () => {
    const names = ['config.resolved.yaml', 'metrics.jsonl', 'scalers.safetensors', 'state.safetensors'];
    expect(readdirSync(at('learned')).sort()).toEqual([...names, 'templates.safetensors']);
  });

  it('writes scalers that name their templates, and both name the ancestor', async () => {
    const [bank, scalers] = [await loadTemplates(learned.templates), await loadScalers(learned.scalers)];
    const [path, other] = [learned.templates, learned.scalers];
    expect(() => checkTogether({ path, bank }, { path: other, scalers })).not.toThrow();
    expect(bank.spec.templates).toEqual({ width: 16, count: 4, small_count: 1, kronecker: 'template-outer' });
    expect(bank.spec.model.preprocess).toEqual({ mean: [0.5], std: [0.5] });
  });

  it('logs both parts of the loss, and the loss of each size', () => {
    const lines = metrics('learned').filter((line) => line.loss !== undefined);
    for (const { loss, ce, kd } of lines) expect(loss).toBeCloseTo((ce as number) + (kd as number), 5);
    const names = new Set(lines.flatMap(Object.keys));
    expect([names.has('loss_32x2'), names.has('loss_16x3')]).toEqual([true, true]);
  });

  it('trains one size alone for an empty list', async () => {
    const config = distillation({ distill: { sizes: [] }, train: { steps: 4, batch: 32, log_every: 1 } });
    const { sizes } = await distill(config, { ancestor }, out('single'), context());
    expect(sizes).toEqual([]);
    expect(Object.keys(metrics('single')[0] ?? {}).filter((name) => name.startsWith('loss_'))).toEqual([]);
  });

  it('trains without the ancestor for kd.weight 0', async () => {
    const config = distillation({ kd: { weight: 0 }, train: { steps: 2, batch: 32, log_every: 1 } });
    await distill(config, { ancestor }, out('labels'), context());
    const [first] = metrics('labels');
    expect(first?.kd).toBeUndefined();
    expect(first?.loss).toBe(first?.ce);
  });

  it('takes the decision of the ancestor for target hard', async () => {
    const config = distillation({
      kd: { target: 'hard' },
      ce: { weight: 0 },
      train: { steps: 2, batch: 32, log_every: 1 },
    });
    await distill(config, { ancestor }, out('hard'), context());
    const [first] = metrics('hard');
    expect(first?.loss).toBe(first?.kd);
    expect(Math.abs((first?.kd as number) - (first?.ce as number))).toBeLessThan(0.5);
  });
});

/** Stops when `step` is reported. */
async function interruptedAt(config: DistillConfig, name: string, step: number): Promise<void> {
  const stopping = context((event, stop) => {
    if (event.type === 'step' && event.step === step) stop();
  });
  await expect(distill(config, { ancestor }, out(name), stopping)).rejects.toThrow(InterruptedError);
}

describe('an interrupted run', () => {
  const live = distillation({
    data: { ...DATA, augment: { pad_crop: 1, flip: true } },
    train: { epochs: 2, batch: 32, log_every: 4, drop_path: 0.2, label_smoothing: 0.1 },
  });
  const remembered = distillation();
  const mixed = distillation({
    data: { ...DATA, augment: { mixup: 0.8, cutmix: 1, mixup_prob: 0.9, repeats: 2 } },
    train: { epochs: 2, batch: 16, accumulate: 2, log_every: 4, label_smoothing: 0.1 },
  });
  const asking = { type: 'phase', text: 'asking the ancestor about 512 images' };

  it.each([
    ['asking the ancestor in every step', live, 'live'],
    ['remembering what it says', remembered, 'remembered'],
    ['asking about mixed images, in parts', mixed, 'blended'],
  ] as const)('gives the same bytes when resumed, %s', async (_how, config, name) => {
    await distill(config, { ancestor }, out(name), context());
    await interruptedAt(config, `${name}-stopped`, 12);
    expect(existsSync(at(`${name}-stopped`, 'templates.safetensors'))).toBe(false);
    await distill(config, { ancestor }, out(`${name}-stopped`, true), context());
    expect(await written(`${name}-stopped`)).toEqual(await written(name));
    const timeless = (run: string) => metrics(run).map((line) => ({ ...line, images_per_second: 0, data_wait: 0 }));
    expect(timeless(`${name}-stopped`)).toEqual(timeless(name));
  });

  it('that was stopped while the ancestor is decomposed leaves nothing', async () => {
    const stopping = context((event, stop) => {
      if (event.type === 'phase' && event.text === 'decomposing the ancestor') stop();
    });
    await expect(distill(distillation(), { ancestor }, out('early'), stopping)).rejects.toThrow(
      new InterruptedError('stopped before the first step; nothing was written'),
    );
    expect(existsSync(at('early'))).toBe(false);
  });

  it('that was stopped while it asks the ancestor leaves nothing', async () => {
    const stopping = context((event, stop) => event.type === 'phase' && event.text.startsWith('asking') && stop());
    await expect(distill(distillation(), { ancestor }, out('early-asking'), stopping)).rejects.toThrow(
      new InterruptedError('stopped while asking the ancestor; nothing was trained'),
    );
    expect(existsSync(at('early-asking'))).toBe(false);
  });

  it('whose templates were written and scalers not is no finished one, and is finished when resumed', async () => {
    const config = distillation({ train: { steps: 4, batch: 32 } });
    await distill(config, { ancestor }, out('cut'), context());
    const before = await written('cut');
    rmSync(at('cut', 'scalers.safetensors'));
    await expect(distill(config, { ancestor }, out('cut'), context())).rejects.toThrow(/--resume goes on with it/);
    await distill(config, { ancestor }, out('cut', true), context());
    expect(await written('cut')).toEqual(before);
  });

  it('that is finished stays as it is to the byte when resumed, and tells the same', async () => {
    const config = distillation({ train: { steps: 4, batch: 32 } });
    const first = await distill(config, { ancestor }, out('finished'), context());
    const before = filesIn(at('finished'));
    const later = laterContext();
    const { top1, loss, templates, scalers } = await distill(config, { ancestor }, out('finished', true), later);
    expect(filesIn(at('finished'))).toEqual(before);
    expect(later.events).toContainEqual(nothingLeft(at('finished')));
    expect([top1, loss, templates, scalers]).toEqual([first.top1, first.loss, first.templates, first.scalers]);
  });

  it('whose scalers belong to other templates is no finished one', async () => {
    const config = distillation({ train: { steps: 4, batch: 32 } });
    await distill(config, { ancestor }, out('mixed'), context());
    await distill(config, { ancestor }, out('mixed-2'), laterContext());
    copyFileSync(at('mixed-2', 'templates.safetensors'), at('mixed', 'templates.safetensors'));
    await distill(config, { ancestor }, out('mixed', true), context());
    const [path, other] = [at('mixed', 'templates.safetensors'), at('mixed', 'scalers.safetensors')];
    const [bank, scalers] = [await loadTemplates(path), await loadScalers(other)];
    expect(() => checkTogether({ path, bank }, { path: other, scalers })).not.toThrow();
  });

  it('ends in one line when its scalers are a folder', async () => {
    const config = distillation({ train: { steps: 4, batch: 32 } });
    await distill(config, { ancestor }, out('blocked'), context());
    rmSync(at('blocked', 'scalers.safetensors'));
    mkdirSync(at('blocked', 'scalers.safetensors'));
    const refused = distill(config, { ancestor }, out('blocked', true), context());
    await expect(refused).rejects.toThrow(
      `${at('blocked', 'scalers.safetensors')}: cannot be replaced: is a folder; move it out of the way`,
    );
  });

  it('near its end asks the ancestor in each step, and gives the same bytes', async () => {
    await distill(remembered, { ancestor }, out('ending'), context());
    await interruptedAt(remembered, 'ending-stopped', 20);
    const told = context();
    await distill(remembered, { ancestor }, out('ending-stopped', true), told);
    expect(told.events.filter(({ type }) => type === 'phase')).not.toContainEqual(asking);
    expect(await written('ending-stopped')).toEqual(await written('ending'));
  });

  it('stopped once more while it asks the ancestor says what is kept', async () => {
    const config = distillation({ train: { epochs: 4, batch: 32, log_every: 4 } });
    await interruptedAt(config, 'asking', 8);
    const stopping = context((event, stop) => event.type === 'phase' && event.text.startsWith('asking') && stop());
    await expect(distill(config, { ancestor }, out('asking', true), stopping)).rejects.toThrow(
      /^stopped while asking the ancestor; the state after step 8 is kept, --resume goes on$/,
    );
  });

  it('is not resumed with another ancestor', async () => {
    await interruptedAt(remembered, 'swapped', 4);
    const { spec, values } = await loadModel(ancestor);
    const other = at('other.safetensors');
    await saveModel(other, { spec, values, lineage });
    const refused = distill(remembered, { ancestor: other }, out('swapped', true), context());
    await expect(refused).rejects.toThrow(ResumeError);
    await expect(refused).rejects.toThrow(/was saved with another file as ancestor/);
  });
});

describe('what is refused, with nothing written', () => {
  const refused = async (config: DistillConfig, message: RegExp, path = ancestor) => {
    const running = distill(config, { ancestor: path }, out('refused'), context());
    await expect(running).rejects.toThrow(message);
    await expect(running).rejects.toThrow(/^[^\n]+$/);
    expect(existsSync(at('refused'))).toBe(false);
  };
  const synthetic = (changes: object) =>
    distillation({ data: { ...DATA, synthetic: { ...DATA.synthetic, ...changes } } });

  it.each([
    ['other classes', { classes: 5 }, /the ancestor has classes 4, the data 5/],
    ['other channels', { channels: 3 }, /the ancestor has channels 1, the data 3/],
    [
      'images of another size',
      { image: 20 },
      /the ancestor has image size 16x16, the data 20x20; make one of that size: wave convert [^ ]+ --image 20x20 --out FILE$/,
    ],
  ])('is data with %s', (_name, changes, message) => refused(synthetic(changes), message));

  it('is an ancestor that only guesses', async () => {
    const { spec } = await loadModel(ancestor);
    const path = at('guessing.safetensors');
    await saveModel(path, { spec, values: initialise(spec, 1), lineage });
    await refused(
      distillation(),
      /guessing\.safetensors: the ancestor is right on .* no better than chance \(25\.0 %\)/,
      path,
    );
  });

  it('is an ancestor that does not say its heads, and the flag that tells them is named', async () => {
    const { spec, values } = await loadModel(ancestor);
    const path = at('bare.safetensors');
    const tensors = [...parameterShapes(spec)].map(
      ([name, shape]) => [name, { dtype: 'F32', shape, data: values.get(name) as Float32Array }] as const,
    );
    await writeSafetensors(path, tensors);
    await refused(distillation(), /bare\.safetensors: does not say .*, or give --ancestor-heads N$/, path);
  });

  it.each([
    ['a template width that does not divide the model', { templates: { width: 24 } }, /24 .*choose/],
    [
      'a size that no template makes',
      { distill: { sizes: [{ depth: 2, width: 24 }] } },
      /^distill\.sizes\.0: width 24/,
    ],
    ['an auxiliary width without whole heads', { auxiliary: { width: 40 } }, /^auxiliary\.width: 40 is no multiple/],
    ['auxiliary heads that do not divide', { auxiliary: { heads: 5 } }, /^auxiliary\.heads: 5 does not divide/],
  ])('is, as a wrong setting, %s', async (_name, changes, message) => {
    await refused(distillation(changes), message);
    await expect(distill(distillation(changes), { ancestor }, out('refused'), context())).rejects.toThrow(ConfigError);
  });

  it('is a run that would train towards nothing', () => {
    const config = distillation({ kd: { weight: 0 }, ce: { weight: 0 } });
    expect(() => checkDistill(config)).toThrow(ConfigError);
  });

  it('is a folder that holds a run', async () => {
    const holding = { dir: dirname(ancestor), force: false };
    await expect(distill(distillation(), { ancestor }, holding, context())).rejects.toThrow(/holds a run already/);
  });
});

it('warns of pixels that the ancestor was not trained with', async () => {
  const told = context();
  const config = distillation({ data: { ...DATA, std: [0.4] }, train: { steps: 1, batch: 32 } });
  await distill(config, { ancestor }, out('pixels'), told);
  const warnings = told.events.flatMap((event) => (event.type === 'warning' ? [event.text] : []));
  expect(warnings).toEqual([
    'the ancestor was trained with mean [0.5], std [0.5], the data block has mean [0.5], std [0.4]' +
      ", which are used; for the ancestor's: --set 'data.mean=[0.5]' --set 'data.std=[0.5]'",
  ]);
});
