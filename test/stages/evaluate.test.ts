import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError, ModelError } from '#wave/base/errors.js';
import { makeLineage, sha256File, writeSafetensors } from '#wave/checkpoint/index.js';
import { loadConfig } from '#wave/config/index.js';
import { loadModel } from '#wave/model/load.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { saveModel } from '#wave/model/save.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { pretrain } from '#wave/stages/pretrain.js';
import { materialiseValues, randomScalers, randomTemplates, saveScalers, saveTemplates } from '#wave/wave/index.js';
import { context, PICO, pico } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-evaluate-'));
afterAll(() => rmSync(root, { recursive: true }));
let model: string;
const ORIGIN = {
  command: 'wave test',
  configSha256: '0',
  parents: [],
  seed: 0,
  engine: 'host',
  toolVersion: '0',
};
const told = context();
let trained: Awaited<ReturnType<typeof pretrain>>;

beforeAll(async () => {
  trained = await pretrain(pico(), { dir: join(root, 'run'), force: false }, told);
  model = trained.model;
});

const settings = (batch: number, changes: Parameters<typeof pico>[0] = {}) =>
  evaluateSchema.parse(pico({ ...changes, eval: { batch } }));

describe('evaluate', () => {
  it('gives the quality that the training run measured last', async () => {
    const { top1, top5, loss, images } = await evaluate(model, evaluateSchema.parse(pico()), context());
    const { top1: expected, top5: expected5 } = trained;
    expect({ top1, top5, images }).toEqual({ top1: expected, top5: expected5, images: 130 });
    expect(loss).toBeCloseTo(trained.loss, 6);
  });

  it.each([1, 7, 130, 200])(
    'gives the same for batches of %i, of which 130 images may fill the last in part',
    async (batch) => {
      const one = await evaluate(model, settings(50), context());
      const other = await evaluate(model, settings(batch), context());
      expect(other).toMatchObject({ images: 130, top1: one.top1, top5: one.top5 });
      expect(other.loss).toBeCloseTo(one.loss, 5);
    },
  );

  it('takes the settings of a training run as they are', async () => {
    const config = loadConfig({ schema: evaluateSchema, text: JSON.stringify(PICO) });
    expect(await evaluate(model, config, context())).toMatchObject({ top1: trained.top1 });
  });

  it('gives for templates and scalers the same as for the model that they make', async () => {
    const { spec, values } = await loadModel(model);
    const layout = { width: 16, count: 2, small_count: 2, kronecker: 'template-outer' } as const;
    const lineage = makeLineage(ORIGIN);
    const files = { templates: join(root, 't.safetensors'), scalers: join(root, 's.safetensors') };
    const templates = randomTemplates(spec, layout, 1);
    await saveTemplates(files.templates, { spec: { model: spec, templates: layout }, values: templates, lineage });
    const scalers = randomScalers(spec, layout, 1);
    const sha256 = await sha256File(files.templates);
    const scalersSpec = { model: spec, templates: layout, templates_sha256: sha256 };
    await saveScalers(files.scalers, { spec: scalersSpec, values: scalers, lineage });
    const made = join(root, 'made.safetensors');
    const weights = materialiseValues(spec, layout, new Map([...templates, ...scalers]));
    expect([...weights.keys()].sort()).toEqual([...values.keys()].sort());
    await saveModel(made, { spec, values: weights, lineage });
    const [whole, parts] = [
      await evaluate(made, settings(50), context()),
      await evaluate(files, settings(50), context()),
    ];
    const { imagesPerSecond: _, ...quality } = whole;
    expect(parts).toMatchObject(quality);

    await saveTemplates(files.templates, {
      spec: { model: spec, templates: layout },
      values: randomTemplates(spec, layout, 2),
      lineage,
    });
    await expect(evaluate(files, settings(50), context())).rejects.toThrow(/belongs to templates with sha256/);
  });

  it('takes settings without model and train blocks', () => {
    const { data } = PICO;
    expect(loadConfig({ schema: evaluateSchema, text: JSON.stringify({ data }) }).data.source).toBe('synthetic');
  });

  it('warns of pixels that are normalised in another way than those of the training', async () => {
    const warnings = async (changes: object) => {
      const asked = context();
      await evaluate(model, settings(50, { data: { ...PICO.data, ...changes } }), asked);
      return asked.events.flatMap((event) => (event.type === 'warning' ? [event.text] : []));
    };
    expect(await warnings({})).toEqual([]);
    expect(await warnings({ mean: [0.1], std: [0.3] })).toEqual([
      'the model was trained with mean [0.5], std [0.5], the data block has mean [0.1], std [0.3]' +
        ", which are used; for the model's: --set 'data.mean=[0.5]' --set 'data.std=[0.5]'",
    ]);
  });

  it('refuses data that the model was not made for', async () => {
    const other = (synthetic: object) => settings(50, { data: { ...PICO.data, synthetic } });
    const size = { image: 20, classes: 4 };
    await expect(evaluate(model, other(size), context())).rejects.toThrow(
      `the model has image size 16x16, the data 20x20; make one of that size: wave convert ${model} --image 20x20 --out FILE`,
    );
    await expect(evaluate(model, other({ ...size, image: 18 }), context())).rejects.toThrow(
      'the data 18x18; its patches of 4 do not divide that size: bring them to a multiple of 4, such as --set data.image=16, or use another model',
    );
    const classes = { image: 16, classes: 5 };
    await expect(evaluate(model, other(classes), context())).rejects.toThrow('the model has classes 4, the data 5');
    const channels = { image: 16, classes: 4, channels: 3 };
    await expect(evaluate(model, other(channels), context())).rejects.toThrow('the model has channels 1, the data 3');
  });

  it('stops when it is interrupted', async () => {
    const stopping = context((event, stop) => event.type === 'evaluating' && stop());
    await expect(evaluate(model, settings(50), stopping)).rejects.toThrow(InterruptedError);
  });
});

describe('a checkpoint that says nothing about itself', () => {
  const bare = () => join(root, 'bare.safetensors');
  beforeAll(async () => {
    const { spec, values } = await loadModel(model);
    const tensors = [...parameterShapes(spec)].map(
      ([name, shape]) => [name, { dtype: 'F32', shape, data: values.get(name) as Float32Array }] as const,
    );
    await writeSafetensors(bare(), tensors);
  });

  it('gives the same quality when the heads are given', async () => {
    const found = await evaluate({ model: bare(), heads: 2 }, settings(50), context());
    expect(found).toMatchObject({ top1: trained.top1, top5: trained.top5 });
  });

  it('is refused without them, and with heads that do not fit', async () => {
    const refused = (heads?: number) =>
      evaluate({ model: bare(), ...(heads === undefined ? {} : { heads }) }, settings(50), context());
    await expect(refused()).rejects.toThrow(
      new ModelError(
        `${bare()}: does not say how many attention heads it has, and there is no config.json beside it; copy it there, or give --heads N`,
      ),
    );
    await expect(refused(5)).rejects.toThrow(ConfigError);
    await expect(refused(5)).rejects.toThrow(/width 32 is not divisible by heads 5: [^\n]+$/);
  });

  it('cannot be contradicted when it does say', async () => {
    const refused = evaluate({ model, heads: 4 }, settings(50), context());
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(`${model}: has 2 heads, --heads says 4; leave --heads out`);
  });
});
