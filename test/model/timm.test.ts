/** The model against timm: names, shapes and logits of full-size models and of complete small checkpoints. */
import { afterAll, describe, expect, it } from 'vitest';
import { detectSpec, type Shapes } from '#wave/model/detect.js';
import { loadModel } from '#wave/model/load.js';
import { parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { inferenceProgram, LOGITS, PATCHES } from '#wave/train/program.js';
import { expectClose } from '../support/close.js';
import { testEngine } from '../support/engine.js';
import * as pure from '../support/pure-weights.js';
import { fixture, jsonFixture, patchesOf, specOf, stateOf, tensorFixture } from './support.js';

const BATCH = 2;
const shapesByModel = jsonFixture<Record<string, Record<string, number[]>>>('timm-shapes.json');
const shapesOf = (name: string): Shapes => new Map(Object.entries(shapesByModel[name]));
const engine = testEngine();
afterAll(() => engine.dispose());

const DEIT_TINY = { width: 192, depth: 12, heads: 3, image: 224, patch: 16, channels: 3, classes: 1000 };
const SMALL = { width: 48, depth: 2, heads: 3, image: 16, patch: 4, channels: 3, classes: 10 };
const small = (more: Partial<ModelSpec> = {}): ModelSpec => specOf(SMALL, { hidden: 96, ...more });

const MODELS: [string, ModelSpec][] = [
  ['deit_tiny_patch16_224', specOf(DEIT_TINY)],
  ['deit_tiny_distilled_patch16_224', specOf(DEIT_TINY, { distillation_token: true })],
  ['token', small()],
  ['distilled', small({ distillation_token: true })],
  ['mean', small({ pool: 'avg', final_norm: 'fc_norm' })],
  ['mean-without-class-token', small({ pool: 'avg', final_norm: 'fc_norm', class_token: false })],
  ['registers', small({ register_tokens: 4 })],
  ['registers-unplaced', small({ register_tokens: 4, position_prefix: false })],
];

describe.each(MODELS)('%s', (name, model) => {
  it('has the tensors of the state dict', () => {
    expect(Object.fromEntries(parameterShapes(model))).toEqual(shapesByModel[name]);
  });

  it('is recognised by its shapes', () => {
    expect(detectSpec(shapesOf(name), { heads: 3 }, name)).toEqual(model);
  });

  it('gives the same logits', async () => {
    const { tensors } = await tensorFixture('timm-logits.safetensors');
    const full = model.image[0] === 224;
    const values = full
      ? pure.parameters(parameterShapes(model))
      : (await loadModel(fixture(`timm-small-${name}.safetensors`), { heads: 3 })).values;
    const state = await stateOf(engine, model, values);
    const step = await engine.compileInference(inferenceProgram(model, BATCH), state, { frozen: true });
    const images = pure.normalSized('images', BATCH * 3 * model.image[0] ** 2);
    const outputs = await step.run(new Map([[PATCHES, patchesOf(images, model, BATCH)]]));
    expectClose('logits', outputs.get(LOGITS), tensors.get(name) as Float32Array, { relative: 1e-4, absolute: 1e-4 });
    await step.dispose();
    await state.dispose();
  });
});

describe('a small timm checkpoint', () => {
  it('is opened with the values that its file holds, in the order of the parameters', async () => {
    const loaded = await loadModel(fixture('timm-small-distilled.safetensors'), { heads: 3 });
    expect(loaded.spec).toEqual(small({ distillation_token: true }));
    expect(loaded.format).toBe('timm');
    expect(loaded.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect([...loaded.values.keys()]).toEqual([...parameterShapes(loaded.spec).keys()]);
    expect(loaded.values).toEqual(pure.parameters(parameterShapes(loaded.spec)));
  });

  it('must be told how many heads it has', async () => {
    const file = fixture('timm-small-token.safetensors');
    await expect(loadModel(file)).rejects.toThrow(
      `${file}: does not say how many attention heads it has, and there is no config.json beside it; copy it there, or give --heads N`,
    );
  });
});
