/** Weights on the host against the definition, `W = sum_t T_t (x) S_t`, in plain loops over the entries of a weight. */
import { describe, expect, it } from 'vitest';
import { parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import {
  isSplit,
  OWN,
  SCALERS,
  scalerShapes,
  TEMPLATES,
  type TemplateLayout,
  templateShapes,
} from '#wave/wave/bank.js';
import { type Axis, type Kind, kindName, modelKinds } from '#wave/wave/kinds.js';
import { materialiser, materialiseValues } from '#wave/wave/materialise-host.js';
import { specOf } from '../model/support.js';
import { expectClose } from '../support/close.js';
import * as pure from '../support/pure-weights.js';

const product = (shape: readonly number[]) => shape.reduce((total, n) => total * n, 1);

const filled = (shapes: ReadonlyMap<string, readonly number[]>) =>
  [...shapes].map(([name, shape]) => [name, pure.uniform(name, product(shape))] as const);

const tensorsOf = (model: ModelSpec, layout: TemplateLayout) =>
  new Map([...filled(templateShapes(model, layout)), ...filled(scalerShapes(model, layout))]);

/** Block and position in the template of channel `channel` of an axis of `size`, cut into `blocks`. */
function factors(axis: Axis, channel: number, size: number, blocks: number, outer: TemplateLayout['kronecker']) {
  if (!isSplit(axis)) return { block: 0, position: channel };
  const group = size / axis.groups;
  const unit = group / blocks;
  const [which, within] = [Math.floor(channel / group), channel % group];
  return outer === 'scaler-outer'
    ? { block: Math.floor(within / unit), position: which * unit + (within % unit) }
    : { block: within % blocks, position: which * unit + Math.floor(within / blocks) };
}

/** All values of one parameter, entry by entry. */
function byDefinition(
  name: string,
  model: ModelSpec,
  layout: TemplateLayout,
  tensors: ReadonlyMap<string, Float32Array>,
): number[] {
  const kind = modelKinds(model).find((candidate) => candidate.name === kindName(name)) as Kind;
  const shape = parameterShapes(model).get(name) as readonly number[];
  const blocks = model.width / layout.width;
  const [count, ...template] = templateShapes(model, layout).get(TEMPLATES + kind.name) as readonly number[];
  const [, , ...scaler] = scalerShapes(model, layout).get(SCALERS + kind.name) as readonly number[];
  const layer = kind.perBlock ? Number(name.split('.')[1]) : 0;
  const templates = tensors.get(TEMPLATES + kind.name) as Float32Array;
  const scalers = tensors.get(SCALERS + kind.name) as Float32Array;
  return Array.from({ length: product(shape) }, (_, entry) => {
    let [inTemplate, inScaler] = [0, 0];
    kind.axes.forEach((axis, i) => {
      const channel = Math.floor(entry / product(shape.slice(i + 1))) % shape[i];
      const { block, position } = factors(axis, channel, shape[i], blocks, layout.kronecker);
      inTemplate = inTemplate * template[i] + position;
      if (isSplit(axis)) inScaler = inScaler * blocks + block;
    });
    let sum = 0;
    for (let t = 0; t < count; t++) {
      const factor = scalers[(layer * count + t) * product(scaler) + inScaler];
      sum += factor * templates[t * product(template) + inTemplate];
    }
    return sum;
  });
}

const sizes = { depth: 2, heads: 1, image: 6, patch: 3, channels: 2, classes: 3 };

describe.each(['template-outer', 'scaler-outer'] as const)('%s', (kronecker) => {
  it.each([
    [4, 4, 3, 1],
    [4, 12, 1, 1],
    [3, 15, 5, 2],
    [6, 12, 8, 3],
    [1, 5, 2, 2],
  ])(
    'templates of width %i make a model of width %i by definition (%i and %i templates)',
    (width, full, count, small) => {
      const layout: TemplateLayout = { width, count, small_count: small, kronecker };
      const model = specOf({ ...sizes, width: full }, { distillation_token: true, register_tokens: 2 });
      const tensors = tensorsOf(model, layout);
      const values = materialiseValues(model, layout, tensors);
      expect([...values.keys()]).toEqual([...parameterShapes(model).keys()]);
      for (const [name, value] of values) {
        expectClose(name, value, byDefinition(name, model, layout, tensors), { absolute: 1e-6 });
      }
    },
  );

  it('makes a mean-pooled model with an MLP of another ratio', () => {
    const layout: TemplateLayout = { width: 4, count: 2, small_count: 1, kronecker };
    const more = { pool: 'avg', final_norm: 'fc_norm', class_token: false, hidden: 18 } as const;
    const model = specOf({ ...sizes, width: 8 }, more);
    const tensors = tensorsOf(model, layout);
    for (const [name, value] of materialiseValues(model, layout, tensors)) {
      expectClose(name, value, byDefinition(name, model, layout, tensors), { absolute: 1e-6 });
    }
  });

  it('makes parameters in any order, one after the other in the same memory', () => {
    const layout: TemplateLayout = { width: 3, count: 3, small_count: 2, kronecker };
    const model = specOf({ ...sizes, width: 9 });
    const tensors = tensorsOf(model, layout);
    const values = materialiseValues(model, layout, tensors);
    const fill = materialiser(model, layout, tensors);
    const memory = new Float32Array(Math.max(...[...values.values()].map(({ length }) => length))).fill(Number.NaN);
    for (const [name, value] of [...values].reverse()) {
      const out = memory.subarray(0, value.length);
      fill(name, out);
      expect(out, name).toEqual(value);
    }
  });
});

it('takes a head of its own as it is', () => {
  const layout: TemplateLayout = { width: 4, count: 2, small_count: 1, kronecker: 'template-outer' };
  const model = specOf({ ...sizes, width: 8 });
  const own = new Map([
    [`${OWN}head.weight`, Float32Array.from({ length: 24 }, (_, i) => i)],
    [`${OWN}head.bias`, Float32Array.of(1, 2, 3)],
  ]);
  const values = materialiseValues(model, layout, new Map([...tensorsOf(model, layout), ...own]));
  expect(values.get('head.weight')).toEqual(own.get(`${OWN}head.weight`));
  expect(values.get('head.bias')).toEqual(own.get(`${OWN}head.bias`));
});
