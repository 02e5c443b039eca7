/** The closed-form start against numpy's full singular value decomposition, and what must hold without a reference. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ModelError } from '#wave/base/errors.js';
import { parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import {
  CONVENTIONS,
  kindShapes,
  SCALERS,
  scalerShapes,
  TEMPLATES,
  type TemplateLayout,
  templateShapes,
} from '#wave/wave/bank.js';
import { closedForm, closedFormFor } from '#wave/wave/decompose.js';
import { inheritScalers } from '#wave/wave/inherit-host.js';
import { parameterName } from '#wave/wave/kinds.js';
import { materialiseValues } from '#wave/wave/materialise-host.js';
import { specOf } from '../model/support.js';
import { expectClose } from '../support/close.js';
import * as pure from '../support/pure-weights.js';
import { fixture, layoutOf, parts, VARIANTS, valuesOf, vit } from './support.js';

type Values = ReadonlyMap<string, Float32Array>;

const squares = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, x) => sum + x * x, 0);
const norm = (values: ArrayLike<number>): number => Math.sqrt(squares(values));

/** Relative Frobenius error of each kind, from the weights that templates and scalers make. */
function measuredErrors(model: ModelSpec, layout: TemplateLayout, weights: Values, values: Values) {
  const made = materialiseValues(model, layout, values);
  return new Map(
    kindShapes(model, layout).map(({ kind, layers }) => {
      const names = Array.from({ length: layers }, (_, layer) => parameterName(kind, layer));
      const [left, all] = names.reduce(
        ([rest, total], name) => {
          const [weight, own] = [weights, made].map((tensors) => tensors.get(name) as Float32Array);
          return [rest + squares(weight.map((x, i) => x - own[i])), total + squares(weight)];
        },
        [0, 0],
      );
      return [kind.name, all === 0 ? 0 : Math.sqrt(left / all)];
    }),
  );
}

interface Case extends Omit<Parameters<typeof specOf>[0], 'batch'> {
  readonly template: number;
  readonly count: number;
  readonly small_count: number;
  readonly kronecker: TemplateLayout['kronecker'];
}

interface Solved {
  readonly case: Case;
  readonly errors: Record<string, number>;
  readonly values: Record<string, number[]>;
}

const SOLVED = JSON.parse(readFileSync(fixture('decomposition.json'), 'utf8')) as Solved[];

describe.each([0, 1, 2, 3])('numpy case %i', (number) => {
  const { case: sizes, errors, values: singular } = SOLVED[number];
  const { template, count, small_count, kronecker } = sizes;
  const model = specOf(sizes);
  const layout = { width: template, count, small_count, kronecker };
  const weights = pure.parameters(parameterShapes(model));
  const result = closedForm(model, weights, layout);

  it('has the error of the tail of singular values, and says so', () => {
    const measured = measuredErrors(model, layout, weights, result.values);
    expect([...result.errors.keys()].sort()).toEqual(Object.keys(errors).sort());
    for (const [kind, expected] of Object.entries(errors)) {
      const within = 1e-3 * expected + 1e-6;
      expect(Math.abs((result.errors.get(kind) as number) - expected), `${kind}, told`).toBeLessThanOrEqual(within);
      expect(Math.abs((measured.get(kind) as number) - expected), `${kind}, measured`).toBeLessThanOrEqual(within);
    }
  });

  it('splits every singular value evenly between orthogonal templates and scalers', () => {
    for (const shape of kindShapes(model, layout)) {
      const { name } = shape.kind;
      const templates = result.values.get(TEMPLATES + name) as Float32Array;
      const scalers = result.values.get(SCALERS + name) as Float32Array;
      const [size, entries] = [templates.length / shape.count, scalers.length / (shape.count * shape.layers)];
      const ofTemplate = (t: number) => templates.slice(t * size, (t + 1) * size);
      const ofScaler = (t: number) => scalers.filter((_, i) => Math.floor(i / entries) % shape.count === t);
      singular[name].forEach((value, t) => {
        expect(squares(ofTemplate(t)) / value, `${name}, template ${t}`).toBeCloseTo(1, 2);
        expect(squares(ofScaler(t)) / value, `${name}, scaler ${t}`).toBeCloseTo(1, 2);
        for (let other = 0; other < t; other++) {
          const product = ofTemplate(t).reduce((sum, x, i) => sum + x * ofTemplate(other)[i], 0);
          expect(Math.abs(product), `${name}, templates ${other} and ${t}`).toBeLessThan(1e-5 * singular[name][0]);
        }
        const extreme = ofTemplate(t).reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
        expect(extreme, `${name}, sign of template ${t}`).toBeGreaterThan(0);
      });
    }
  });
});

describe.each(CONVENTIONS)('%s', (kronecker) => {
  it.each([
    { depth: 2, width: 24, template: 8, variant: 'class token' },
    { depth: 3, width: 24, template: 12, variant: 'distillation and register tokens' },
    { depth: 2, width: 24, template: 24, variant: 'mean pooling and fc_norm, without class token' },
    { depth: 4, width: 72, template: 8, variant: 'class token' },
  ])('reproduces weights that are sums of Kronecker products: %o', ({ depth, width, template, variant }) => {
    const model = vit(depth, width, 3, VARIANTS[variant]);
    const layout = layoutOf(template, { kronecker });
    const weights = materialiseValues(model, layout, valuesOf(parts(model, layout)));
    const { values, errors } = closedForm(model, weights, layout);
    expect(values.size).toBe(2 * kindShapes(model, layout).length);
    const made = materialiseValues(model, layout, values);
    for (const [name, weight] of weights) {
      expectClose(name, made.get(name), weight, { relative: 1e-5, absolute: 1e-5 });
    }
    for (const [kind, error] of errors) expect(error, kind).toBeLessThan(1e-5);
  });
});

describe('more templates than the rank', () => {
  const model = vit(1, 16, 2);

  it('are random with scalers of zero, and change nothing', () => {
    const layout = layoutOf(16, { count: 4, small_count: 3 });
    const weights = pure.parameters(parameterShapes(model));
    const { values, errors } = closedForm(model, weights, layout, 5);
    // One block of template width in one layer: every kind has rank one.
    for (const { kind, count } of kindShapes(model, layout)) {
      const scalers = values.get(SCALERS + kind.name) as Float32Array;
      const templates = values.get(TEMPLATES + kind.name) as Float32Array;
      expect(scalers[0], kind.name).not.toBe(0);
      expect([...scalers.slice(1)], kind.name).toEqual(new Array(count - 1).fill(0));
      const size = templates.length / count;
      for (let t = 1; t < count; t++)
        expect(norm(templates.slice(t * size, (t + 1) * size)), kind.name).toBeGreaterThan(0);
      expect(errors.get(kind.name), kind.name).toBeLessThan(1e-6);
    }
    const made = materialiseValues(model, layout, values);
    for (const [name, weight] of weights) expectClose(name, made.get(name), weight, { relative: 1e-6 });
  });

  it.each([model, vit(4, 72, 3)])('serve weights of zero, as biases of a new model are: %o', (model) => {
    const layout = layoutOf(8);
    const weights = new Map(
      [...parameterShapes(model)].map(([name, shape]) => [name, new Float32Array(shape.reduce((a, b) => a * b, 1))]),
    );
    const { values, errors } = closedForm(model, weights, layout);
    for (const [name, own] of values) {
      expect(own.every(Number.isFinite)).toBe(true);
      expect(
        own.every((x) => x === 0),
        name,
      ).toBe(name.startsWith(SCALERS));
    }
    expect([...errors.values()].every((error) => error === 0)).toBe(true);
  });
});

it('gives the same numbers every time', () => {
  const model = vit(4, 72, 3);
  const layout = layoutOf(8);
  const weights = pure.parameters(parameterShapes(model));
  expect(closedForm(model, weights, layout, 3)).toEqual(closedForm(model, weights, layout, 3));
  const [one, other] = [closedForm(model, weights, layout, 3), closedForm(model, weights, layout, 4)];
  for (const [kind, error] of one.errors) expect(error, kind).toBeCloseTo(other.errors.get(kind) as number, 4);
});

it('refuses weights that are not numbers, naming them', () => {
  const model = vit(2, 16, 2);
  const weights = pure.parameters(parameterShapes(model));
  (weights.get('blocks.1.mlp.fc2.weight') as Float32Array)[3] = Number.NaN;
  expect(() => closedForm(model, weights, layoutOf(8))).toThrow(ModelError);
  expect(() => closedForm(model, weights, layoutOf(8))).toThrow(
    'closed-form start: blocks.1.mlp.fc2.weight of the ancestor is not finite; ',
  );
});

describe('for an auxiliary model of another size', () => {
  const ancestor = vit(3, 24, 3);
  const layout = layoutOf(8);
  const weights = pure.parameters(parameterShapes(ancestor));
  const own = closedForm(ancestor, weights, layout);

  it('keeps templates and errors, and inherits scalers', () => {
    const auxiliary: ModelSpec = { ...ancestor, depth: 2, width: 16, heads: 2, hidden: 64 };
    const { values, errors } = closedFormFor(auxiliary, ancestor, weights, layout);
    expect(errors).toEqual(own.errors);
    for (const name of templateShapes(auxiliary, layout).keys()) expect(values.get(name)).toEqual(own.values.get(name));
    const inherited = inheritScalers(ancestor, auxiliary, layout, own.values);
    for (const name of scalerShapes(auxiliary, layout).keys()) {
      expect(values.get(name), name).toEqual(inherited.get(name));
    }
    expect(values.size).toBe(own.values.size);
  });

  it('is the closed form itself at the size of the ancestor', () => {
    expect(closedFormFor(ancestor, ancestor, weights, layout)).toEqual(own);
  });

  it('refuses a template width that does not divide the ancestor, naming those that do', () => {
    const check = () => closedFormFor(vit(2, 32, 2), ancestor, weights, layoutOf(16));
    expect(check).toThrow(ModelError);
    expect(check).toThrow(
      "templates.width: 16 does not divide the ancestor's width 24; choose one of 1, 2, 3, 4, 6, 8, 12, 24",
    );
  });

  it.each<[string, Partial<ModelSpec>, string]>([
    [
      'classes',
      { classes: 7 },
      'a template of head.weight is [4, 8] for the ancestor and [7, 8] for the auxiliary model',
    ],
    ['image', { image: [12, 12] }, 'a template of pos_embed is [1, 10, 8] for the ancestor and [1, 37, 8] for'],
    ['MLP ratio', { hidden: 32 }, 'a template of blocks.mlp.fc1.weight is [32, 8] for the ancestor and [16, 8] for'],
    ['tokens', { distillation_token: true }, 'a template of dist_token is none for the ancestor and [1, 1, 8] for'],
  ])('refuses models that differ in %s', (_, more, message) => {
    const auxiliary = { ...vit(2, 16, 2), ...more };
    const check = () => closedFormFor(auxiliary, ancestor, weights, layout);
    expect(check).toThrow(ModelError);
    expect(check).toThrow(`closed-form start: ${message}`);
    expect(check).not.toThrow('\n');
  });
});
