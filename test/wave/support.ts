/** Banks, templates, scalers and programs for the tests of templates. */
import { fileURLToPath } from 'node:url';
import { type Tensor, tf } from '#wave/engine/tf.js';
import type { Engine, TrainingProgram } from '#wave/engine/types.js';
import { forward } from '#wave/model/forward.js';
import { geometry, type ModelSpec } from '#wave/model/spec.js';
import { crossEntropy } from '#wave/ops/index.js';
import { LOGITS, PATCHES, TARGETS } from '#wave/train/program.js';
import type { Arrangement } from '#wave/wave/arrangement.js';
import { type KindShape, kindShapes, SCALERS, TEMPLATES, type TemplateLayout } from '#wave/wave/bank.js';
import { materialise } from '#wave/wave/materialise.js';
import { ADAMW, evaluate, type Given, given, TRAINED } from '../support/engine.js';
import * as pure from '../support/pure-weights.js';

export const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

export const layoutOf = (width: number, more: Partial<TemplateLayout> = {}): TemplateLayout => ({
  width,
  count: 3,
  small_count: 2,
  kronecker: 'template-outer',
  ...more,
});

const product = (shape: readonly number[]): number => shape.reduce((total, size) => total * size, 1);

/** A class-token ViT of these sizes on 6x6 images; `hidden` is 4 times the width unless said. */
export function vit(depth: number, width: number, heads: number, more: Partial<ModelSpec> = {}): ModelSpec {
  return {
    image: [6, 6],
    patch: 2,
    channels: 1,
    depth,
    width,
    heads,
    hidden: 4 * width,
    classes: 4,
    eps: 1e-6,
    pool: 'token',
    final_norm: 'norm',
    class_token: true,
    distillation_token: false,
    register_tokens: 0,
    position_prefix: true,
    ...more,
  };
}

/** Models whose kinds differ: tokens, pooling, norms, MLP ratio. */
export const VARIANTS: Record<string, Partial<ModelSpec>> = {
  'class token': {},
  'distillation and register tokens': { distillation_token: true, register_tokens: 2 },
  'mean pooling and fc_norm, without class token': {
    pool: 'avg',
    final_norm: 'fc_norm',
    class_token: false,
    position_prefix: false,
  },
  'mean pooling with class token, MLP twice as wide': { pool: 'avg', hidden: 48 },
};

/** Templates of a kind as scripts/fixtures/kronecker.py makes them. */
export function pureTemplates({ kind, count, template, full }: KindShape): Float32Array {
  const options = /norm\d?\.weight$/.test(kind.name)
    ? { centre: 1, scale: 0.2 }
    : kind.name.endsWith('.weight')
      ? { scale: Math.sqrt(3 / product(full.slice(1))) }
      : { scale: kind.name.endsWith('bias') ? 0.1 : 0.5 };
  return pure.uniform(TEMPLATES + kind.name, count * product(template), options);
}

/** Scalers of a kind as scripts/fixtures/kronecker.py makes them. */
export function pureScalers({ kind, layers, count, scaler }: KindShape): Float32Array {
  const norm = /norm\d?\.weight$/.test(kind.name);
  const options = norm ? { centre: 1 / count, scale: 0.2 } : { scale: Math.sqrt(3 / count) };
  return pure.uniform(SCALERS + kind.name, layers * count * product(scaler), options);
}

/** Templates and scalers of a model with their shapes, as `pure` makes them or as told. */
export function parts(
  model: ModelSpec,
  layout: TemplateLayout,
  templates: (shape: KindShape) => Float32Array = pureTemplates,
  scalers: (shape: KindShape) => Float32Array = pureScalers,
): Record<string, Given & { values: Float32Array }> {
  return Object.fromEntries(
    kindShapes(model, layout).flatMap((shape) => [
      [TEMPLATES + shape.kind.name, given([shape.count, ...shape.template], templates(shape))],
      [SCALERS + shape.kind.name, given([shape.layers, shape.count, ...shape.scaler], scalers(shape))],
    ]),
  );
}

/** Values alone. */
export const valuesOf = (tensors: Record<string, Given & { values: Float32Array }>): Map<string, Float32Array> =>
  new Map(Object.entries(tensors).map(([name, { values }]) => [name, values]));

/** All parameters of a model, made in a compiled program. */
export async function materialiseInStep(
  engine: Engine,
  model: ModelSpec,
  layout: TemplateLayout,
  tensors: Record<string, Given>,
  arrangement: Arrangement,
): Promise<Map<string, Float32Array>> {
  const made = await evaluate(engine, tensors, (fed) =>
    Object.fromEntries(materialise(model, layout, new Map(Object.entries(fed)), arrangement)),
  );
  return new Map(Object.entries(made).map(([name, values]) => [name, values as Float32Array]));
}

/** Patches and targets of a batch. */
export function batchOf(model: ModelSpec, batch: number): Record<string, Given> {
  const { patches, patchDim } = geometry(model);
  const targets = new Float32Array(batch * model.classes);
  pure.labels('labels', batch, model.classes).forEach((label, i) => {
    targets[i * model.classes + label] = 1;
  });
  return {
    [PATCHES]: given([patches, batch, patchDim], pure.normalSized('patches', patches * batch * patchDim)),
    [TARGETS]: given([batch, model.classes], targets),
  };
}

/** Cross-entropy of a model made of templates in the given arrangement. */
export function arrangedProgram(
  model: ModelSpec,
  layout: TemplateLayout,
  batch: number,
  arrangement: Arrangement,
): TrainingProgram {
  return {
    inputs: new Map(
      Object.entries(batchOf(model, batch)).map(([name, { shape }]) => [name, { shape, dtype: 'float32' as const }]),
    ),
    run({ parameters, inputs }) {
      const weights = materialise(model, layout, parameters, arrangement);
      const logits = forward(model, weights, inputs.get(PATCHES) as Tensor);
      return { loss: crossEntropy(logits, inputs.get(TARGETS) as Tensor), outputs: new Map([[LOGITS, logits]]) };
    },
  };
}

/** Loss, outputs and gradients of one step over trained tensors. */
export async function gradientsOf(
  engine: Engine,
  program: TrainingProgram,
  tensors: Record<string, Given & { values: Float32Array }>,
  fed: Record<string, Given>,
) {
  const entries = Object.entries(tensors).map(
    ([name, { shape, values }]) =>
      [name, { spec: { shape, dtype: 'float32' as const }, values: values.slice(), rule: TRAINED }] as const,
  );
  const state = await engine.createState(new Map(entries), ADAMW);
  const step = await engine.compileTraining(program, state);
  try {
    return await step.gradients(new Map(Object.entries(fed).map(([name, { values }]) => [name, values.slice()])));
  } finally {
    await step.dispose();
    await state.dispose();
  }
}

/** Logits of ordinary weights. */
export async function logitsOf(
  engine: Engine,
  model: ModelSpec,
  weights: Record<string, Given>,
  batch: number,
): Promise<Float32Array> {
  const fed = { ...weights, [PATCHES]: batchOf(model, batch)[PATCHES] };
  const { logits } = await evaluate(engine, fed, ({ [PATCHES]: patches, ...rest }) => ({
    logits: tf.mul(forward(model, new Map(Object.entries(rest)), patches), 1),
  }));
  return logits as Float32Array;
}
