/** Fitting scalers in this process, on the real engine: what it gains, what it leaves alone, and how it goes on. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InterruptedError } from '#wave/base/errors.js';
import { makeLineage } from '#wave/checkpoint/index.js';
import { loadModel } from '#wave/model/load.js';
import { type DistillResult, distill } from '#wave/stages/distill.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { checkFit, type FitConfig, type FitResult, fitSchema, fit as fitStage } from '#wave/stages/fit.js';
import {
  checkTogether,
  loadScalers,
  loadTemplates,
  materialiseValues,
  randomScalers,
  saveScalers,
  targetSpec,
} from '#wave/wave/index.js';
import { DATA, distillation, trainAncestor } from './distill-support.js';
import { context, filesIn, laterContext, nothingLeft, PICO } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-fit-'));
afterAll(() => rmSync(root, { recursive: true }));
const at = (...names: string[]) => join(root, ...names);
const out = (name: string, resume = false) => ({ dir: at(name), force: false, resume });

/** 60 steps on 256 of the 512 images. */
function settings(changes: Record<string, object> = {}): FitConfig {
  const { seed, engine, eval: evaluation } = PICO;
  const data = { ...DATA, fraction: 0.5 };
  return fitSchema.parse({
    seed,
    engine,
    eval: evaluation,
    data,
    train: { steps: 60, batch: 32, log_every: 4 },
    ...changes,
  });
}

let ancestor: string;
let bank: DistillResult;
/** Random scalers of a deeper model: something to be gained. */
let scalers: string;
let fitted: FitResult;

beforeAll(async () => {
  ancestor = await trainAncestor(root);
  bank = await distill(distillation({ train: { epochs: 8, batch: 32 } }), { ancestor }, out('bank'), context());
  const { spec, sha256 } = await loadTemplates(bank.templates);
  const target = targetSpec(spec, { depth: 3, width: 32 });
  const auxiliary = await loadScalers(bank.scalers);
  const like = { model: spec.model, values: auxiliary.values };
  scalers = at('target.safetensors');
  await saveScalers(scalers, {
    spec: { model: target, templates: spec.templates, templates_sha256: sha256 },
    values: randomScalers(target, spec.templates, 0, like),
    lineage: makeLineage({ command: '', configSha256: '', parents: [], seed: 0, engine: '', toolVersion: '' }),
  });
  fitted = await fitStage(settings(), { templates: bank.templates, scalers }, out('fitted'), context());
});

const metrics = (name: string): Record<string, number>[] =>
  readFileSync(at(name, 'metrics.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
const run = (config: FitConfig, name: string, more: object = {}, told = context()) =>
  fitStage(config, { templates: bank.templates, scalers, ...more }, out(name), told);

describe('a fit', () => {
  it('improves over its start, which it measures, too', () => {
    expect(fitted.startTop1).toBeLessThan(0.5);
    expect(fitted.top1).toBeGreaterThan((fitted.startTop1 as number) + 0.15);
    expect(metrics('fitted')[0]).toMatchObject({ step: 0, test_top1: fitted.startTop1 });
  });

  it('trains scalers alone', async () => {
    const [before, after] = [await loadScalers(scalers), await loadScalers(fitted.scalers)];
    expect(after.values).not.toEqual(before.values);
    const count = [...after.values.values()].reduce((sum, { length }) => sum + length, 0);
    expect(fitted).toMatchObject({ scalerParameters: count, head: 'kept', steps: 60 });
    expect(count).toBeLessThan(fitted.parameters / 20);
  });

  it('writes scalers of the same templates, and the model that both make', async () => {
    const [templates, after] = [await loadTemplates(bank.templates), await loadScalers(fitted.scalers)];
    checkTogether({ path: '', bank: templates }, { path: '', scalers: after });
    const { spec, values } = await loadModel(fitted.model);
    expect(spec).toMatchObject({ depth: 3, width: 32, heads: 2 });
    const made = materialiseValues(spec, after.spec.templates, new Map([...templates.values, ...after.values]));
    expect(values).toEqual(made);
  });

  it('writes a model of the accuracy that it tells', async () => {
    const config = evaluateSchema.parse(settings());
    expect((await evaluate(fitted.model, config, context())).top1).toBe(fitted.top1);
  });

  it('leaves its artifacts, and no temporary file', () => {
    const names = ['config.resolved.yaml', 'metrics.jsonl', 'model.safetensors', 'scalers.safetensors'];
    expect(readdirSync(at('fitted')).sort()).toEqual([...names, 'state.safetensors']);
  });

  it('does not measure its start if asked not to', async () => {
    const config = settings({ train: { steps: 1, batch: 32 }, eval: { batch: 50, start: false } });
    expect((await run(config, 'unmeasured')).startTop1).toBeUndefined();
  });
});

describe('folders', () => {
  it('stand for the templates and the scalers in them', async () => {
    const folders = { templates: at('bank'), scalers: at('fitted') };
    const config = evaluateSchema.parse(settings());
    expect((await evaluate(folders, config, context())).top1).toBe(fitted.top1);
    const short = settings({ train: { steps: 1, batch: 32 } });
    const files = { templates: bank.templates, scalers: fitted.scalers };
    const [one, other] = [await run(short, 'folders', folders), await run(short, 'files', files)];
    expect((await loadScalers(one.scalers)).values).toEqual((await loadScalers(other.scalers)).values);
  });

  it('that hold no such file are refused with its name', async () => {
    const refused = run(settings(), 'refused', { scalers: at('ancestor') });
    await expect(refused).rejects.toThrow(`${at('ancestor', 'scalers.safetensors')}: cannot be read: no such file`);
  });

  it('are not written into', async () => {
    const inputs = { templates: at('bank'), scalers: at('fitted') };
    const again = fitStage(settings(), inputs, { dir: at('fitted'), force: true }, context());
    await expect(again).rejects.toThrow(/would replace scalers\.safetensors, which it reads/);
  });
});

describe('an ancestor', () => {
  const short = { steps: 4, batch: 32, log_every: 1 };

  it('adds its distance to the loss', async () => {
    const { ancestorTrainTop1 } = await run(settings({ train: short }), 'distilled', { ancestor });
    expect(ancestorTrainTop1).toBeGreaterThan(0.6);
    const [, { loss, ce, kd } = {}] = metrics('distilled');
    expect(loss).toBeCloseTo((ce as number) + (kd as number), 5);
  });

  it('has the weight of the settings', async () => {
    await run(settings({ train: short, kd: { weight: 2 }, ce: { weight: 0 } }), 'weighted', { ancestor });
    const [, { loss, kd } = {}] = metrics('weighted');
    expect(loss).toBeCloseTo(2 * (kd as number), 5);
  });

  it.each([
    ['is missing for kd.weight', { kd: { weight: 1 } }, {}, /^kd\.weight: 1 needs an ancestor/],
    ['is given for nothing', { kd: { weight: 0 } }, { ancestor: 'a' }, /^kd\.weight: 0 makes no use of the ancestor/],
    ['is the only loss and missing', { ce: { weight: 0 } }, {}, /^ce\.weight: 0 leaves no loss/],
  ])('that %s is refused', (_name, changes, inputs, message) => {
    expect(() => checkFit(settings(changes), inputs)).toThrow(message);
  });
});

describe('other classes', () => {
  const three = settings({ data: { ...DATA, synthetic: { ...DATA.synthetic, classes: 3 } } });

  it('get a new head, which is told, trained and kept as it is', async () => {
    const told = context();
    const result = await run(three, 'three', {}, told);
    expect(told.events).toContainEqual({
      type: 'note',
      text: 'head: new, 3 classes (the scalers are for 4); it is not made of templates',
    });
    expect(result).toMatchObject({ head: 'new' });
    expect(result.top1).toBeGreaterThan(0.5);
    const { spec, values } = await loadScalers(result.scalers);
    expect(spec.model.classes).toBe(3);
    expect([...values.keys()].filter((name) => name.includes('head'))).toEqual(['own.head.weight', 'own.head.bias']);
    expect((await loadModel(result.model)).values.get('head.weight')).toEqual(values.get('own.head.weight'));
  });

  it('keep that head in the next fit, and get another one for yet other classes', async () => {
    const short = { steps: 2, batch: 32 };
    const own = { scalers: at('three', 'scalers.safetensors') };
    const before = (await loadScalers(own.scalers)).values.get('own.head.weight');
    const again = await run({ ...three, train: { ...three.train, ...short, lr: 1e-9, min_lr: 0 } }, 'again', own);
    expect(again.head).toBe('kept');
    const after = (await loadScalers(again.scalers)).values.get('own.head.weight') as Float32Array;
    after.forEach((value, i) => {
      expect(value).toBeCloseTo(before?.[i] as number, 6);
    });
    const back = await run(settings({ train: short }), 'back', own);
    expect(back.head).toBe('new');
    expect((await loadScalers(back.scalers)).spec.model.classes).toBe(4);
  });

  it('than those of the ancestor are refused', async () => {
    await expect(run(three, 'refused', { ancestor })).rejects.toThrow(/^ancestor and data: .* classes 4, the data 3/);
    expect(existsSync(at('refused'))).toBe(false);
  });
});

describe('an interrupted fit', () => {
  const config = settings({
    train: { steps: 16, batch: 32, log_every: 4, drop_path: 0.2 },
    data: { ...DATA, augment: { flip: true } },
  });

  it('gives the same bytes when resumed, and still knows its start', async () => {
    const inputs = { templates: bank.templates, scalers, ancestor };
    const whole = await fitStage(config, inputs, out('whole'), context());
    const stopping = context((event, stop) => {
      if (event.type === 'step' && event.step === 8) stop();
    });
    await expect(fitStage(config, inputs, out('stopped'), stopping)).rejects.toThrow(InterruptedError);
    expect(existsSync(at('stopped', 'scalers.safetensors'))).toBe(false);
    const resumed = await fitStage(config, inputs, out('stopped', true), context());
    expect((await loadScalers(resumed.scalers)).values).toEqual((await loadScalers(whole.scalers)).values);
    expect((await loadModel(resumed.model)).values).toEqual((await loadModel(whole.model)).values);
    expect(resumed.startTop1).toBe(whole.startTop1);
  });

  it('that is finished stays as it is to the byte when resumed, and tells the same', async () => {
    const inputs = { templates: bank.templates, scalers };
    const short = settings({ train: { steps: 4, batch: 32 } });
    const first = await run(short, 'finished');
    const before = filesIn(at('finished'));
    const later = laterContext();
    const again = await fitStage(short, inputs, out('finished', true), later);
    expect(filesIn(at('finished'))).toEqual(before);
    expect(later.events).toContainEqual(nothingLeft(at('finished')));
    const times = { imagesPerSecond: 0, dataWait: 0, seconds: 0 };
    expect({ ...again, ...times }).toEqual({ ...first, ...times });
  });

  it('can be stopped while its start is measured', async () => {
    const early = context((event, stop) => event.type === 'evaluating' && stop());
    await expect(run(config, 'early', {}, early)).rejects.toThrow(InterruptedError);
    const resumed = await fitStage(config, { templates: bank.templates, scalers }, out('early', true), context());
    expect(resumed.startTop1).toBeDefined();
  });

  it('is not resumed with other scalers', async () => {
    const stopping = context((event, stop) => {
      if (event.type === 'step' && event.step === 8) stop();
    });
    await expect(run(config, 'swapped', {}, stopping)).rejects.toThrow(InterruptedError);
    const other = { templates: bank.templates, scalers: bank.scalers };
    await expect(fitStage(config, other, out('swapped', true), context())).rejects.toThrow(
      /with another file as scalers/,
    );
  });
});

describe('what is refused, with nothing written', () => {
  const synthetic = (changes: object) => settings({ data: { ...DATA, synthetic: { ...DATA.synthetic, ...changes } } });

  it.each([
    ['channels that are not those of the model', { channels: 3 }, /is a model for images with 1 channel/],
    [
      'images of another size',
      { image: 20 },
      /holds scalers for images of 16x16, those of the data are 20x20; distil a bank at that size/,
    ],
  ])('is data with %s', async (_name, changes, message) => {
    await expect(run(synthetic(changes), 'refused')).rejects.toThrow(message);
    expect(existsSync(at('refused'))).toBe(false);
  });

  it('is templates that the scalers were not made for', async () => {
    const config = distillation({ train: { steps: 1, batch: 32 } });
    const { templates } = await distill(config, { ancestor }, out('other'), context());
    await expect(run(settings(), 'refused', { templates })).rejects.toThrow(/belongs to templates with sha256/);
    expect(existsSync(at('refused'))).toBe(false);
  });

  it('is a folder whose scalers are read', async () => {
    const inputs = { templates: bank.templates, scalers: bank.scalers };
    const folder = { dir: dirname(bank.scalers), force: true };
    await expect(fitStage(settings(), inputs, folder, context())).rejects.toThrow(/would replace scalers\.safetensors/);
  });
});
