/** Checkpoints of timm and Hugging Face give here the logits that they give there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadedModel, loadModel } from '#wave/model/load.js';
import { parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { inferenceProgram, LOGITS, PATCHES } from '#wave/train/program.js';
import { expectClose } from '../../support/close.js';
import { testEngine } from '../../support/engine.js';
import { patchesOf, stateOf, tensorFixture } from '../support.js';
import { BARE, CASES, interop } from './support.js';

const BATCH = 2;
const CLOSE = { relative: 1e-4, absolute: 1e-4 };
const engine = testEngine();
afterAll(() => engine.dispose());
let expected: Map<string, Float32Array>;
beforeAll(async () => {
  ({ tensors: expected } = await tensorFixture('', interop('expected.safetensors')));
});

const load = (name: string) => loadModel(interop(name), BARE.includes(name) ? { heads: 3 } : {});

async function logits({ spec, values }: Pick<LoadedModel, 'spec' | 'values'>): Promise<Float32Array> {
  const state = await stateOf(engine, spec, values);
  const step = await engine.compileInference(inferenceProgram(spec, BATCH), state, { frozen: true });
  const images = expected.get(`images.${spec.image.join('x')}`) as Float32Array;
  const outputs = await step.run(new Map([[PATCHES, patchesOf(images, spec, BATCH)]]));
  const result = outputs.get(LOGITS)?.slice() as Float32Array;
  await step.dispose();
  await state.dispose();
  return result;
}

const wanted = (name: string) => expected.get(`logits.${name}`) as Float32Array;

describe.each(CASES)('%s', (name) => {
  it('gives the same logits', async () => {
    const model = await load(name);
    expect([...model.values.keys()]).toEqual([...parameterShapes(model.spec).keys()]);
    expect(model.format).toBe(name.startsWith('timm') ? 'timm' : 'huggingface');
    expectClose('logits', await logits(model), wanted(name), CLOSE);
  });
});

it('the fixtures are as many as they should be', () => {
  expect(CASES.length).toBe([...expected.keys()].filter((key) => key.startsWith('logits.')).length);
  expect(CASES.length).toBeGreaterThanOrEqual(23);
});

/** What would go unnoticed if the fixtures were too tame. */
describe('logits tell', () => {
  const changed = async (name: string, change: Partial<ModelSpec>) => {
    const { spec, values } = await load(name);
    const found = await logits({ spec: { ...spec, ...change }, values });
    return Math.max(...found.map((value, i) => Math.abs(value - wanted(name)[i])));
  };

  it.each([
    ['the heads', 'timm-token', { heads: 2 }],
    ['the heads', 'hf-vit-classic', { heads: 4 }],
    ['the epsilon', 'hf-vit-classic', { eps: 1e-12 }],
    ['the epsilon', 'hf-deit-teacher-refactored', { eps: 1e-6 }],
    ['the pooling', 'timm-mean-without-fc-norm', { pool: 'token' }],
  ] as const)('%s of %s', async (_, name, change) => {
    expect(await changed(name, change)).toBeGreaterThan(1e-3);
  });
});
