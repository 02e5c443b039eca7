/** Training programs of models made of templates: loss, inputs and outputs, and gradients against differences. */
import { afterAll, describe, expect, it } from 'vitest';
import { parameterShapes } from '#wave/model/parameters.js';
import { geometry, type ModelSpec } from '#wave/model/spec.js';
import { DROP_PATH, LOGITS, PATCHES, TARGETS, trainingProgram } from '#wave/train/program.js';
import { CONVENTIONS, SCALERS } from '#wave/wave/bank.js';
import type { DistillationLoss } from '#wave/wave/distillation-loss.js';
import { inheritScalers } from '#wave/wave/inherit-host.js';
import { materialiseValues } from '#wave/wave/materialise-host.js';
import {
  ANCESTOR,
  CE,
  KD,
  type TemplateModel,
  templateInferenceProgram,
  templateTrainingProgram,
} from '#wave/wave/program.js';
import { expectClose } from '../support/close.js';
import { ADAMW, entries, type Given, given, testEngine } from '../support/engine.js';
import * as pure from '../support/pure-weights.js';
import { batchOf, gradientsOf, layoutOf, logitsOf, parts, VARIANTS, valuesOf, vit } from './support.js';

const engine = testEngine();
afterAll(() => engine.dispose());

const BATCH = 3;
const LAYOUT = layoutOf(8, { count: 2, small_count: 2 });
const MODEL = vit(2, 16, 2);
const KD_SOFT: DistillationLoss = { weight: 0.5, temperature: 2, reduction: 'batchmean', target: 'soft' };
const ancestorOf = (model: ModelSpec): Record<string, Given> => ({
  [ANCESTOR]: given([BATCH, model.classes], pure.normalSized('ancestor', BATCH * model.classes)),
});

const asGiven = (model: ModelSpec, values: ReadonlyMap<string, Float32Array>): Record<string, Given> =>
  Object.fromEntries(
    [...parameterShapes(model)].map(([name, shape]) => [name, given(shape, values.get(name) as Float32Array)]),
  );

describe('inputs and outputs', () => {
  const program = (options: Partial<Parameters<typeof templateTrainingProgram>[1]>) =>
    templateTrainingProgram(
      { model: MODEL, layout: LAYOUT },
      { batch: BATCH, dropPath: false, ceWeight: 1, ...options },
    );

  it('are patches and targets; what the ancestor says and drop-path factors where they are used', () => {
    const { patches, patchDim } = geometry(MODEL);
    expect([...program({}).inputs]).toEqual([
      [PATCHES, { shape: [patches, BATCH, patchDim], dtype: 'float32' }],
      [TARGETS, { shape: [BATCH, 4], dtype: 'float32' }],
    ]);
    expect(program({ kd: KD_SOFT, dropPath: true }).inputs).toEqual(
      new Map([
        ...program({}).inputs,
        [ANCESTOR, { shape: [BATCH, 4], dtype: 'float32' }],
        [DROP_PATH, { shape: [4, BATCH], dtype: 'float32' }],
      ]),
    );
  });

  it.each([
    { ceWeight: 1, kd: undefined },
    { ceWeight: 0.25, kd: undefined },
    { ceWeight: 1, kd: { ...KD_SOFT, weight: 1 } },
    { ceWeight: 0.25, kd: KD_SOFT },
    { ceWeight: 0, kd: KD_SOFT },
  ])('the loss is the weighted sum of its parts: %o', async ({ ceWeight, kd }) => {
    const fed = { ...batchOf(MODEL, BATCH), ...(kd && ancestorOf(MODEL)) };
    const { loss, outputs } = await gradientsOf(
      engine,
      program({ ceWeight, ...(kd && { kd }) }),
      parts(MODEL, LAYOUT),
      fed,
    );
    expect([...outputs.keys()].sort()).toEqual([LOGITS, CE, ...(kd ? [KD] : [])].sort());
    const divergence = kd ? kd.weight * (outputs.get(KD) as Float32Array)[0] : 0;
    expect(loss).toBeCloseTo(ceWeight * (outputs.get(CE) as Float32Array)[0] + divergence, 5);
    expect(loss).toBeGreaterThan(0);
  });
});

describe.each(CONVENTIONS)('%s', (kronecker) => {
  const layout = { ...LAYOUT, kronecker };

  it.each(Object.keys(VARIANTS))('gives the logits of the weights made on the host: %s', async (variant) => {
    const model = vit(2, 24, 3, VARIANTS[variant]);
    const tensors = parts(model, layout);
    const weights = materialiseValues(model, layout, valuesOf(tensors));
    const expected = await logitsOf(engine, model, asGiven(model, weights), BATCH);
    const state = await engine.createState(entries(tensors), ADAMW);
    const step = await engine.compileInference(templateInferenceProgram({ model, layout }, BATCH), state, {
      frozen: false,
    });
    const fed = batchOf(model, BATCH)[PATCHES];
    const outputs = await step.run(new Map([[PATCHES, fed.values.slice()]]));
    expectClose('logits', outputs.get(LOGITS), expected, { absolute: 1e-5 });
    await step.dispose();
    await state.dispose();
  });

  it.each([
    { depth: 3, width: 24 },
    { depth: 1, width: 8 },
  ])('inherits scalers inside the step as on the host: %o', async ({ depth, width }) => {
    const model = vit(depth, width, width / 8);
    const tensors = parts(MODEL, layout);
    const values = valuesOf(tensors);
    const inherited = inheritScalers(MODEL, model, layout, values);
    const weights = materialiseValues(model, layout, new Map([...values, ...inherited]));
    const { outputs } = await gradientsOf(
      engine,
      templateTrainingProgram({ model, layout, auxiliary: MODEL }, { batch: BATCH, dropPath: false, ceWeight: 1 }),
      tensors,
      batchOf(model, BATCH),
    );
    expectClose('logits', outputs.get(LOGITS), await logitsOf(engine, model, asGiven(model, weights), BATCH), {
      absolute: 1e-5,
    });
  });

  it('drops residual branches as ordinary training does', async () => {
    const factors = given([4, BATCH], [0, 2, 0, 1, 1, 0, 2, 2, 0, 0, 1, 2]);
    const fed = { ...batchOf(MODEL, BATCH), [DROP_PATH]: factors };
    const tensors = parts(MODEL, layout);
    const options = { batch: BATCH, dropPath: true, ceWeight: 1 };
    const made = await gradientsOf(engine, templateTrainingProgram({ model: MODEL, layout }, options), tensors, fed);
    const weights = asGiven(MODEL, materialiseValues(MODEL, layout, valuesOf(tensors)));
    const plain = await gradientsOf(
      engine,
      trainingProgram(MODEL, BATCH, { dropPath: true }),
      weights as Parameters<typeof gradientsOf>[2],
      fed,
    );
    expectClose('logits', made.outputs.get(LOGITS), plain.outputs.get(LOGITS) as Float32Array, { absolute: 1e-5 });
    expect(made.loss).toBeCloseTo(plain.loss, 5);
  });

  const MADE: Record<string, TemplateModel> = {
    'its own size': { model: MODEL, layout },
    'a larger size that inherits': { model: vit(3, 24, 3), layout, auxiliary: MODEL },
    'a smaller size that inherits': { model: vit(1, 8, 1), layout, auxiliary: MODEL },
  };

  it.each(Object.keys(MADE))('has the gradients of its loss: %s', async (which) => {
    const made = MADE[which];
    const program = templateTrainingProgram(made, { batch: BATCH, dropPath: false, ceWeight: 0.7, kd: KD_SOFT });
    const tensors = parts(MODEL, layout);
    const fed = { ...batchOf(MODEL, BATCH), ...ancestorOf(MODEL) };
    const state = await engine.createState(entries(tensors), ADAMW);
    const step = await engine.compileTraining(program, state);
    const run = () => step.gradients(new Map(Object.entries(fed).map(([name, { values }]) => [name, values.slice()])));
    const { gradients } = await run();
    expect([...gradients.keys()].sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, gradient] of gradients) {
      const start = tensors[name].values;
      const direction = pure.normalSized(`direction.${name}`, start.length);
      const lossAt = async (distance: number) => {
        await state.write(new Map([[name, start.map((x, i) => x + distance * direction[i])]]));
        return (await run()).loss;
      };
      const slope = ((await lossAt(STEP)) - (await lossAt(-STEP))) / (2 * STEP);
      const expected = gradient.reduce((sum, x, i) => sum + x * direction[i], 0);
      const size = Math.sqrt(gradient.reduce((sum, x) => sum + x * x, 0));
      await state.write(new Map([[name, start]]));
      expect(Math.abs(slope - expected), name).toBeLessThan(0.02 * size + ROUNDING);
      expect(name.startsWith(SCALERS) || size > 0, `${name} is trained`).toBe(true);
    }
    await step.dispose();
    await state.dispose();
  });
});

/** Step of the differences, and what rounding of a float32 loss leaves of a slope at this step. */
const STEP = 2e-3;
const ROUNDING = 5e-4;
