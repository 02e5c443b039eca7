/** The forward pass against an independent one in plain loops, and what follows from its definition. */
import { afterAll, describe, expect, it } from 'vitest';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import { forward } from '#wave/model/forward.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { PRESETS } from '#wave/model/presets.js';
import { geometry, type ModelSpec } from '#wave/model/spec.js';
import { DROP_PATH, inferenceProgram, LOGITS, PATCHES, TARGETS, trainingProgram } from '#wave/train/program.js';
import type { Numbers } from '../support/arrays.js';
import { expectClose } from '../support/close.js';
import { given, spec, testEngine } from '../support/engine.js';
import * as pure from '../support/pure-weights.js';
import { referenceLogits } from './reference.js';
import { oneHot, specOf, stateOf, TINY } from './support.js';

const BATCH = 2;
const engine = testEngine();
afterAll(() => engine.dispose());

const named = (model: ModelSpec): Map<string, Numbers> =>
  new Map([...parameterShapes(model)].map(([name, shape]) => [name, given(shape, pure.parameter(name, shape))]));
const patchesFor = (model: ModelSpec, name = 'patches') => {
  const { patches, patchDim } = geometry(model);
  return given([patches, BATCH, patchDim], pure.normalSized(name, patches * BATCH * patchDim));
};

/** Logits of a training step, with factors on the residual branches if given. */
async function logitsOf(model: ModelSpec, dropPath?: Float32Array): Promise<Float32Array> {
  const state = await stateOf(engine, model, pure.parameters(parameterShapes(model)));
  const step = await engine.compileTraining(trainingProgram(model, BATCH, { dropPath: dropPath !== undefined }), state);
  const inputs = new Map([
    [PATCHES, patchesFor(model).values.slice()],
    [TARGETS, oneHot([0, 1], model.classes)],
  ]);
  if (dropPath) inputs.set(DROP_PATH, dropPath.slice());
  const { outputs } = await step.gradients(inputs);
  await step.dispose();
  await state.dispose();
  return outputs.get(LOGITS) as Float32Array;
}

const VARIANTS: [string, Partial<ModelSpec>][] = [
  ['reads its class token', {}],
  ['has one block', { depth: 1 }],
  ['reads class and distillation token', { distillation_token: true }],
  ['has register tokens', { register_tokens: 3 }],
  ['has register tokens without positions', { register_tokens: 3, position_prefix: false }],
  ['has all prefix tokens', { distillation_token: true, register_tokens: 2 }],
  ['means its patches before the norm', { pool: 'avg', final_norm: 'fc_norm' }],
  ['means its patches after the norm', { pool: 'avg', final_norm: 'norm' }],
  ['means its patches and has no class token', { pool: 'avg', final_norm: 'fc_norm', class_token: false }],
  ['means its patches beside register tokens', { pool: 'avg', final_norm: 'fc_norm', register_tokens: 2 }],
  ['sees images that are not square', { image: [4, 8] }],
  ['has another epsilon', { eps: 0.1 }],
];

describe.each(VARIANTS)('a model that %s', (_, more) => {
  const model = specOf(TINY, more);
  const tolerance = { relative: 1e-5, absolute: 1e-5 };

  it('computes the logits of the full computation', async () => {
    const expected = referenceLogits(model, named(model), { patches: patchesFor(model) });
    expectClose('logits', await logitsOf(model), expected, tolerance);
  });

  it('multiplies each residual branch of each sample by its factor', async () => {
    const factors = pure.uniform('factors', 2 * model.depth * BATCH, { centre: 1 });
    const dropPath = given([2 * model.depth, BATCH], factors);
    const expected = referenceLogits(model, named(model), { patches: patchesFor(model), dropPath });
    const found = await logitsOf(model, factors);
    expectClose('logits', found, expected, tolerance);
    expect(found).not.toEqual(await logitsOf(model));
    expectClose('all ones', await logitsOf(model, factors.slice().fill(1)), await logitsOf(model), tolerance);
  });

  it('gives the same numbers live and frozen', async () => {
    const state = await stateOf(engine, model, pure.parameters(parameterShapes(model)));
    const [live, frozen] = await Promise.all(
      [false, true].map(async (isFrozen) => {
        const step = await engine.compileInference(inferenceProgram(model, BATCH), state, { frozen: isFrozen });
        return (await step.run(new Map([[PATCHES, patchesFor(model).values.slice()]]))).get(LOGITS) as Float32Array;
      }),
    );
    expectClose('frozen', frozen, live as Float32Array, { absolute: 1e-6 });
  });
});

describe('a sample', () => {
  it('does not depend on the others in its batch', async () => {
    const model = specOf(TINY);
    const state = await stateOf(engine, model, pure.parameters(parameterShapes(model)));
    const step = await engine.compileInference(inferenceProgram(model, BATCH), state, { frozen: false });
    const run = async (patches: Float32Array) => (await step.run(new Map([[PATCHES, patches]]))).get(LOGITS);
    const { shape, values } = patchesFor(model);
    const changed = values.map((value, i) => (Math.floor(i / shape[2]) % BATCH === 1 ? 9 * value : value));
    const [first, second] = [await run(values.slice()), await run(Float32Array.from(changed))];
    expectClose('first sample', second?.slice(0, 4), first?.slice(0, 4) as Float32Array, { absolute: 1e-6 });
    expect(second?.slice(4)).not.toEqual(first?.slice(4));
  });
});

describe('a training step of deit-tiny', () => {
  it('is a small graph: nothing of the size of weights or activations is written into it', async () => {
    const model = specOf({ ...PRESETS['deit-tiny'], classes: 1000 });
    const state = await stateOf(engine, model, pure.parameters(parameterShapes(model)));
    const step = await engine.compileTraining(trainingProgram(model, 2, { dropPath: true }), state);
    expect(step.info.bytes).toBeLessThan(300_000);
    expect(step.info.nodes).toBeGreaterThan(500);
    await step.dispose();
    await state.dispose();
  });
});

describe('a model without one of its parameters', () => {
  it('is a bug that is named', async () => {
    const model = specOf(TINY);
    const state = await engine.createState(new Map(), { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
    const { patches, patchDim } = geometry(model);
    const program = {
      inputs: new Map([[PATCHES, spec([patches, BATCH, patchDim])]]),
      run: ({ inputs }: { inputs: ReadonlyMap<string, Tensor> }) =>
        new Map([['y', tf.sum(forward(model, new Map(), inputs.get(PATCHES) as Tensor)) as Scalar]]),
    };
    await expect(engine.compileInference(program, state, { frozen: false })).rejects.toThrow(
      'internal: parameter patch_embed.proj.weight is missing',
    );
  });
});
