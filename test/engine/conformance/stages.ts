/**
 * Every stage that computes, at a size that takes a second: the same inputs and the same seed give the losses of ort/cpu, step
 * by step, and models of the same quality.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '#wave/checkpoint/index.js';
import type { ProbeTarget } from '#wave/engine/probe.js';
import { distill, distillSchema } from '#wave/stages/distill.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { finetune, finetuneSchema } from '#wave/stages/finetune.js';
import { fitSchema, fit as fitStage } from '#wave/stages/fit.js';
import { initTarget } from '#wave/stages/init.js';
import { predict } from '#wave/stages/predict.js';
import { pretrain, pretrainSchema } from '#wave/stages/pretrain.js';
import { tensorFixture } from '../../model/support.js';
import { context } from '../../stages/support.js';
import { expectClose } from '../../support/close.js';
import { normalSized } from '../../support/pure-weights.js';
import { THREADS } from './target.js';

const STEPS = 20;
const SEED = 3;
/** On the loss of every step. */
const LOSS_TOLERANCE = 1e-4;
const SIDE = 8;
/** 20 steps are one epoch. */
const DATA = { source: 'synthetic', synthetic: { image: SIDE, classes: 4, train: 160, test: 60 } } as const;
const MODEL = { patch: 4, depth: 2, width: 16, heads: 2 };
const TRAIN = { steps: STEPS, epochs: null, batch: 8, log_every: 1 } as const;

/** Engine, device and threads of a run. */
type EngineSettings = { readonly name: string; readonly device: string; readonly threads: number };

const settings = (engine: EngineSettings, train: object = {}) => ({
  seed: SEED,
  data: DATA,
  eval: { batch: 30 },
  engine,
  train: { ...TRAIN, ...train },
});

/** What the stages read: that of the reference for all targets, so that each stage is compared by itself. */
interface Files {
  readonly ancestor: string;
  readonly templates: string;
  readonly scalers: string;
}

const stages = {
  pretrain: (dir: string, engine: EngineSettings, _files?: Files, train: object = {}) =>
    pretrain(
      pretrainSchema.parse({ ...settings(engine, { lr: 3e-3, ...train }), model: MODEL }),
      { dir, force: false },
      context(),
    ),
  distill: (dir: string, engine: EngineSettings, { ancestor }: Pick<Files, 'ancestor'>) =>
    distill(
      distillSchema.parse({
        ...settings(engine),
        templates: { count: 4, width: 8 },
        distill: { sizes: [{ depth: 3, width: 8 }] },
      }),
      { ancestor },
      { dir, force: false },
      context(),
    ),
  fit: (dir: string, engine: EngineSettings, files: Files) =>
    fitStage(fitSchema.parse(settings(engine)), files, { dir, force: false }, context()),
  finetune: (dir: string, engine: EngineSettings, { templates, scalers }: Pick<Files, 'templates' | 'scalers'>) =>
    finetune(
      finetuneSchema.parse(settings(engine, { lr: 2e-3, clip: 1, layer_decay: 0.7, ema: { decay: 0.9 } })),
      { templates, scalers },
      { dir, force: false },
      context(),
    ),
};

/** The losses of all steps, in order. */
function losses(dir: string): number[] {
  const lines = readFileSync(join(dir, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const steps = lines
    .map((line) => JSON.parse(line) as Record<string, number>)
    .filter(({ loss }) => loss !== undefined);
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
  return steps.map(({ loss }) => loss);
}

/** Defines the tests. */
export function describeStages({ engine: name, device }: ProbeTarget): void {
  const reference = { name: 'ort', device: 'cpu', threads: 1 };
  const own = { name, device, threads: THREADS };

  describe('a stage', () => {
    const root = mkdtempSync(join(tmpdir(), 'wave-conformance-'));
    afterAll(() => rmSync(root, { recursive: true }));
    const at = (...names: string[]) => join(root, ...names);
    let files: Files;

    beforeAll(async () => {
      await stages.pretrain(at('reference', 'pretrain'), reference);
      const longer = { steps: 15 * STEPS, eval_every: 15 };
      const { model: ancestor } = await stages.pretrain(at('ancestor'), reference, undefined, longer);
      const { templates } = await stages.distill(at('reference', 'distill'), reference, { ancestor });
      const scalers = at('scalers.safetensors');
      const out = { path: scalers, force: false };
      await initTarget({ method: 'wave', depth: 3, width: 16, templates }, out, context());
      files = { ancestor, templates, scalers };
      await stages.fit(at('reference', 'fit'), reference, files);
      await stages.finetune(at('reference', 'finetune'), reference, files);
    });

    it.each(['pretrain', 'distill', 'fit', 'finetune'] as const)('%s has the losses of ort/cpu', async (stage) => {
      const result = await stages[stage](at('own', stage), own, files);
      expect(result).toMatchObject({ engine: name, device, steps: STEPS });
      const found = losses(at('own', stage));
      expectClose('losses', found, losses(at('reference', stage)), { absolute: LOSS_TOLERANCE });
    });

    it('eval measures what ort/cpu measures', async () => {
      const { ancestor, templates, scalers } = files;
      for (const source of [ancestor, { templates, scalers }]) {
        const measure = (engine: EngineSettings) => evaluate(source, evaluateSchema.parse(settings(engine)), context());
        const [found, expected] = [await measure(own), await measure(reference)];
        expect(found).toMatchObject({ top1: expected.top1, top5: expected.top5, images: expected.images });
        expectClose('loss', [found.loss], [expected.loss], { absolute: 1e-5 });
      }
    });

    it('predict gives the logits of ort/cpu', async () => {
      const images = at('images.safetensors');
      const data = normalSized('images', 5 * SIDE * SIDE);
      await writeSafetensors(images, [['input', { dtype: 'F32', shape: [5, 1, SIDE, SIDE], data }]], []);
      const logits = async (engine: EngineSettings, file: string) => {
        const inputs = { model: files.ancestor, inputs: [images], top: 1, logitsOut: at(file), engine };
        await predict(inputs, context());
        return (await tensorFixture('', at(file))).tensors.get('logits') as Float32Array;
      };
      const expected = await logits(reference, 'reference.safetensors');
      expectClose('logits', await logits(own, 'own.safetensors'), expected, { absolute: 1e-5 });
    });
  });
}
