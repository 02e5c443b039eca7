/** What is exported beside what timm and transformers themselves save of the same models (make-export-fixtures.py). */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '#wave/checkpoint/index.js';
import type { ExportFormat } from '#wave/model/export/format.js';
import { huggingFaceFormat } from '#wave/model/export/huggingface.js';
import { imageProcessor } from '#wave/model/export/huggingface-processor.js';
import { mlpRatio, timmFormat } from '#wave/model/export/timm.js';
import type { ModelSpec, Preprocess } from '#wave/model/spec.js';
import { valuesOf } from '../../stages/export-support.js';
import { jsonFixture } from '../support.js';

interface Saved {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly config: Readonly<Record<string, unknown>>;
}
const ofTimm = jsonFixture<{ cases: Record<string, Saved> }>('export-timm.json').cases;
const ofTransformers = jsonFixture<{ cases: Record<string, Saved>; processors: Record<string, object> }>(
  'export-huggingface.json',
);

const root = mkdtempSync(join(tmpdir(), 'wave-export-saved-'));
afterAll(() => rmSync(root, { recursive: true }));

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const HALVES = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
/** Of timm's 0.9: 32 / 0.9 and 48 / 0.9, rounded down. */
const NINE_TENTHS = { resize: [35, 53] as [number, number] };
const SPEC: ModelSpec = {
  image: [32, 48],
  patch: 8,
  channels: 3,
  depth: 5,
  width: 96,
  heads: 3,
  hidden: 384,
  classes: 10,
  eps: 1e-6,
  pool: 'token',
  final_norm: 'norm',
  class_token: true,
  distillation_token: false,
  register_tokens: 0,
  position_prefix: true,
};

async function exported(format: ExportFormat, spec: ModelSpec, name: string): Promise<Saved> {
  const dir = mkdtempSync(join(root, name));
  const plan = format.plan(spec, 'the model', {});
  await format.write(dir, { spec, values: valuesOf(spec) }, plan, {});
  const file = await openSafetensors(dir);
  const shapes = Object.fromEntries([...file.tensors].map(([tensor, { shape }]) => [tensor, shape]));
  await file.close();
  return { shapes, config: JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) };
}

/** Fields without those of a name. */
const without = (record: unknown, names: readonly string[]) =>
  Object.fromEntries(Object.entries(record as object).filter(([name]) => !names.includes(name)));

describe('timm', () => {
  const cases: [string, Partial<ModelSpec>][] = [
    ['token', {}],
    ['distilled', { distillation_token: true }],
    ['mean', { pool: 'avg', final_norm: 'fc_norm', class_token: false }],
    ['registers', { register_tokens: 3, position_prefix: false }],
  ];

  it.each(cases)('saves the same of a model of the kind %s', async (name, change) => {
    const pixels = name === 'distilled' ? IMAGENET : HALVES;
    const own = await exported(timmFormat, { ...SPEC, ...change, preprocess: { ...pixels, ...NINE_TENTHS } }, name);
    const theirs = ofTimm[name];
    expect(own.shapes).toEqual(theirs?.shapes);
    const nested = ['model_args', 'pretrained_cfg'];
    expect(without(own.config, nested)).toEqual(without(theirs?.config, nested));
    // transformers' wrapper gives the number of classes itself, and refuses to be told twice.
    expect(own.config.model_args).toMatchObject(without(theirs?.config.model_args, ['num_classes']));
    expect(own.config.model_args).not.toHaveProperty('num_classes');
    const facts = ['license', 'tag', 'custom_load', 'pool_size'];
    expect(own.config.pretrained_cfg).toEqual(without(theirs?.config.pretrained_cfg, facts));
  });

  it('knows a ratio for every hidden width', () => {
    for (let width = 1; width <= 200; width++) {
      for (let hidden = 1; hidden <= 4 * width; hidden++) {
        expect(Math.trunc(width * mlpRatio({ width, hidden }))).toBe(hidden);
      }
    }
    // The plain quotient is one short here, which is what the function is for.
    expect(Math.trunc(49 * (1 / 49))).toBe(0);
    expect(mlpRatio(SPEC)).toBe(4);
  });
});

describe('transformers', () => {
  const cases: [string, Partial<ModelSpec>][] = [
    ['token', {}],
    ['distilled', { distillation_token: true }],
    ['register', { register_tokens: 1 }],
  ];

  it.each(cases)('saves the same of a model of the kind %s', async (name, change) => {
    const preprocess = { ...HALVES, resize_mode: 'squash' } as const;
    const own = await exported(huggingFaceFormat, { ...SPEC, ...change, preprocess }, name);
    const theirs = ofTransformers.cases[name];
    expect(own.shapes).toEqual(theirs?.shapes);
    // What only masked image modelling and poolers need, and what says who wrote the file.
    const left = ['dtype', 'encoder_stride', 'pooler_act', 'pooler_output_size', 'transformers_version'];
    expect(own.config).toEqual(without(theirs?.config, left));
  });

  const ways: [string, Partial<Preprocess>][] = [
    ['exact', { resize_mode: 'squash' }],
    ['cropped', { resize_mode: 'squash', resize: [64, 96], interpolation: 'bilinear' }],
    ['covered', { resize: [64, 64] }],
  ];

  it.each(ways)('saves the same image processor for images that are %s', (name, way) => {
    const preprocess = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.25], ...way };
    expect(imageProcessor({ ...SPEC, preprocess }, 'the model')).toEqual(ofTransformers.processors[name]);
  });
});
