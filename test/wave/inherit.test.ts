/** Inherited scalers: host and step alike, what each rule keeps, and what it leaves alone. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ModelError } from '#wave/base/errors.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { CONVENTIONS, kindShapes, SCALERS, scalerShapes, type TemplateLayout } from '#wave/wave/bank.js';
import { layerMix } from '#wave/wave/inherit.js';
import { inheritScalers } from '#wave/wave/inherit-host.js';
import { inheritInStep } from '#wave/wave/inherit-step.js';
import { materialiseValues } from '#wave/wave/materialise-host.js';
import { expectClose } from '../support/close.js';
import { evaluate, testEngine } from '../support/engine.js';
import * as pure from '../support/pure-weights.js';
import { layoutOf, parts, pureTemplates, VARIANTS, valuesOf, vit } from './support.js';

const engine = testEngine();
afterAll(() => engine.dispose());

const AUXILIARY = vit(4, 16, 2);
const TARGETS = [
  { depth: 4, width: 16 },
  { depth: 7, width: 16 },
  { depth: 2, width: 16 },
  { depth: 1, width: 8 },
  { depth: 3, width: 40 },
  { depth: 9, width: 24 },
];
const LAYOUT = layoutOf(8);

const resized = (model: ModelSpec, depth: number, width: number): ModelSpec => ({
  ...model,
  depth,
  width,
  heads: width / 8,
  hidden: (model.hidden / model.width) * width,
});

describe('in a step and on the host', () => {
  it.each(TARGETS)('gives the same scalers for %o', async ({ depth, width }) => {
    const target = resized(AUXILIARY, depth, width);
    const scalers = Object.fromEntries(
      Object.entries(parts(AUXILIARY, LAYOUT)).filter(([name]) => name.startsWith(SCALERS)),
    );
    const onHost = inheritScalers(AUXILIARY, target, LAYOUT, valuesOf(scalers));
    const inStep = await evaluate(engine, scalers, (fed) =>
      Object.fromEntries(inheritInStep(AUXILIARY, target, LAYOUT, new Map(Object.entries(fed)))),
    );
    expect([...onHost.keys()]).toEqual([...scalerShapes(target, LAYOUT).keys()]);
    for (const [name, shape] of scalerShapes(target, LAYOUT)) {
      expect(onHost.get(name)?.length, name).toBe(shape.reduce((total, size) => total * size, 1));
      expectClose(name, inStep[name], onHost.get(name) as Float32Array, { absolute: 1e-6 });
    }
  });

  it.each(Object.keys(VARIANTS))('serves every kind of a model with %s', async (variant) => {
    const auxiliary = vit(3, 24, 3, VARIANTS[variant]);
    const target = resized(auxiliary, 2, 48);
    const scalers = Object.fromEntries(
      Object.entries(parts(auxiliary, LAYOUT)).filter(([name]) => name.startsWith(SCALERS)),
    );
    const onHost = inheritScalers(auxiliary, target, LAYOUT, valuesOf(scalers));
    const inStep = await evaluate(engine, scalers, (fed) =>
      Object.fromEntries(inheritInStep(auxiliary, target, LAYOUT, new Map(Object.entries(fed)))),
    );
    for (const [name, values] of onHost) expectClose(name, inStep[name], values, { absolute: 1e-6 });
  });
});

it('refuses a model with a head of its own, in a step and on the host', async () => {
  const given = parts(AUXILIARY, LAYOUT);
  const { [`${SCALERS}head.weight`]: _, ...scalers } = given;
  const own = { ...scalers, 'own.head.weight': { shape: [4, 16], values: new Float32Array(64) } };
  const target = resized(AUXILIARY, 2, 24);
  const problem = new ModelError(
    'scalers.head.weight is missing: the model has a head of its own, which no other size can inherit',
  );
  expect(() => inheritScalers(AUXILIARY, target, LAYOUT, valuesOf(own))).toThrow(problem);
  const inStep = evaluate(engine, own, (fed) =>
    Object.fromEntries(inheritInStep(AUXILIARY, target, LAYOUT, new Map(Object.entries(fed)))),
  );
  await expect(inStep).rejects.toThrow(problem);
  expect(() => inheritScalers(AUXILIARY, target, LAYOUT, valuesOf(scalers))).toThrow(
    new ModelError('scalers.head.weight is missing'),
  );
});

it('leaves the scalers alone at the size of the auxiliary model', () => {
  const scalers = valuesOf(parts(AUXILIARY, LAYOUT));
  for (const [name, values] of inheritScalers(AUXILIARY, AUXILIARY, LAYOUT, scalers)) {
    expect(values, name).toEqual(scalers.get(name));
  }
});

it('picks the scalers of block `b mod ra`, on both axes, and mixes the two layers around `l (La - 1) / (L - 1)`', () => {
  const auxiliary = vit(3, 16, 2);
  const target = resized(auxiliary, 5, 24);
  const layout = layoutOf(8, { count: 2 });
  const scalers = valuesOf(parts(auxiliary, layout));
  const made = inheritScalers(auxiliary, target, layout, scalers).get('scalers.blocks.attn.qkv.weight') as Float32Array;
  const given = scalers.get('scalers.blocks.attn.qkv.weight') as Float32Array;
  const source = (layer: number, t: number, p: number, q: number) => given[((layer * 2 + t) * 2 + p) * 2 + q];
  for (let i = 0; i < made.length; i++) {
    const [q, p, t, layer] = [i % 3, Math.floor(i / 3) % 3, Math.floor(i / 9) % 2, Math.floor(i / 18)];
    const place = layer / 2;
    const [below, above] = [Math.floor(place), Math.ceil(place)];
    const mixed = (source(below, t, p % 2, q % 2) + source(above, t, p % 2, q % 2)) / 2;
    expect(made[i]).toBeCloseTo((mixed * 2) / 3, 6);
  }
});

describe.each(CONVENTIONS)('factors, %s', (kronecker) => {
  /** Channel of entry `i` and block `b` on an axis of `size` channels. */
  const channel = (entry: number, block: number, size: number, blocks: number): number =>
    kronecker === 'template-outer' ? entry * blocks + block : block * (size / blocks) + entry;

  /** An input of `blocks` copies of the same `times` blocks. */
  const repeated = (x: Float32Array, blocks: number, times: number): Float32Array => {
    const unit = x.length / blocks;
    const result = new Float32Array(x.length * times);
    for (let entry = 0; entry < unit; entry++) {
      for (let block = 0; block < blocks * times; block++) {
        result[channel(entry, block, result.length, blocks * times)] =
          x[channel(entry, block % blocks, x.length, blocks)];
      }
    }
    return result;
  };

  const multiply = (weight: Float32Array, x: Float32Array): Float32Array =>
    Float32Array.from({ length: weight.length / x.length }, (_, row) =>
      x.reduce((sum, value, column) => sum + value * weight[row * x.length + column], 0),
    );

  it('keep what a layer makes of an input that repeats', () => {
    fc.assert(
      fc.property(
        fc.record({
          depth: fc.integer({ min: 1, max: 3 }),
          blocks: fc.integer({ min: 1, max: 3 }),
          times: fc.integer({ min: 1, max: 3 }),
          seed: fc.nat(),
        }),
        ({ depth, blocks, times, seed }) => {
          const auxiliary = vit(depth, 4 * blocks, 1);
          const target = { ...auxiliary, width: 4 * blocks * times, hidden: 16 * blocks * times };
          const layout: TemplateLayout = layoutOf(4, { kronecker });
          const values = valuesOf(parts(auxiliary, layout));
          const scalers = inheritScalers(auxiliary, target, layout, values);
          const [source, made] = [
            materialiseValues(auxiliary, layout, values),
            materialiseValues(target, layout, new Map([...values, ...scalers])),
          ];
          const last = `blocks.${depth - 1}.`;
          for (const [name, input] of [
            [`${last}attn.proj.weight`, auxiliary.width],
            [`${last}mlp.fc1.weight`, auxiliary.width],
            [`${last}mlp.fc2.weight`, auxiliary.hidden],
            ['head.weight', auxiliary.width],
          ] as const) {
            const x = pure.uniform(`x${seed}`, input);
            const small = multiply(source.get(name) as Float32Array, x);
            const expected = name === 'head.weight' ? small : repeated(small, blocks, times);
            const large = multiply(made.get(name) as Float32Array, repeated(x, blocks, times));
            expectClose(name, large, expected, { absolute: 1e-5 });
          }
          for (const name of ['pos_embed', 'norm.weight', 'blocks.0.mlp.fc1.bias', 'head.bias']) {
            const small = source.get(name) as Float32Array;
            const rows = name === 'pos_embed' ? small.length / auxiliary.width : 1;
            const length = small.length / rows;
            const expected = Array.from({ length: rows }, (_, i) => small.slice(i * length, (i + 1) * length)).flatMap(
              (row) => [...(name === 'head.bias' ? row : repeated(row, blocks, times))],
            );
            expectClose(name, made.get(name), expected, { absolute: 1e-6 });
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it('keep the sum over layers of what is added to the residual stream, and nothing else', () => {
    const auxiliary = vit(4, 16, 2);
    const target = resized(auxiliary, 6, 16);
    const layout = layoutOf(8, { kronecker });
    const equalLayers = valuesOf(
      parts(auxiliary, layout, pureTemplates, ({ kind, layers, count, scaler }) => {
        const one = pure.uniform(kind.name, count * scaler.reduce((total, size) => total * size, 1));
        return Float32Array.from(Array.from({ length: layers }, () => [...one]).flat());
      }),
    );
    const inherited = inheritScalers(auxiliary, target, layout, equalLayers);
    const added: string[] = [];
    for (const { kind, layers } of kindShapes(auxiliary, layout)) {
      const [from, to] = [equalLayers, inherited].map((values) => values.get(SCALERS + kind.name) as Float32Array);
      const layer = from.slice(0, from.length / layers);
      const factor = kind.perBlock && Math.abs(to[0] - layer[0]) > 1e-6 ? 4 / 6 : 1;
      if (factor !== 1) added.push(kind.name);
      const expected = layer.map((x) => x * factor);
      for (let l = 0; l < to.length / layer.length; l++) {
        expectClose(kind.name, to.slice(l * layer.length, (l + 1) * layer.length), expected, { absolute: 1e-6 });
      }
    }
    expect(added).toEqual([
      'blocks.attn.proj.weight',
      'blocks.attn.proj.bias',
      'blocks.mlp.fc2.weight',
      'blocks.mlp.fc2.bias',
    ]);
  });
});

describe('layerMix', () => {
  it('interpolates: rows sum to 1, keep the ends and move on, in at most two neighbours', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), (from, to) => {
        const rows = layerMix(from, to);
        expect(rows.length).toBe(to);
        let before = -1;
        for (const row of rows) {
          expect(row.length).toBe(from);
          expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
          const used = row.flatMap((weight, layer) => (weight > 0 ? [layer] : []));
          expect(used.length).toBeLessThanOrEqual(2);
          expect(used[used.length - 1] - used[0]).toBeLessThanOrEqual(1);
          expect(Math.min(...row)).toBeGreaterThanOrEqual(0);
          const centre = row.reduce((sum, weight, layer) => sum + weight * layer, 0);
          expect(centre).toBeGreaterThanOrEqual(before - 1e-12);
          before = centre;
        }
        if (to > 1) {
          expect(rows[0][0]).toBe(1);
          expect(rows[to - 1][from - 1]).toBe(1);
        }
      }),
    );
  });

  it('gives the identity between equal depths and the middle to a single layer', () => {
    expect(layerMix(3, 3)).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
    expect(layerMix(3, 1)).toEqual([[0, 1, 0]]);
    expect(layerMix(4, 1)).toEqual([[0, 0.5, 0.5, 0]]);
    expect(layerMix(2, 3)).toEqual([
      [1, 0],
      [0.5, 0.5],
      [0, 1],
    ]);
  });
});
