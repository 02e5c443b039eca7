/** Weights from templates and scalers: the definition, host and step, arrangements, conventions. */
import { afterAll, describe, expect, it } from 'vitest';
import { parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { LOGITS } from '#wave/train/program.js';
import type { Arrangement } from '#wave/wave/arrangement.js';
import { CONVENTIONS, type Convention, type KindShape, kindShapes, OWN, TEMPLATES } from '#wave/wave/bank.js';
import { type Axis, parameterName } from '#wave/wave/kinds.js';
import { materialiseValues } from '#wave/wave/materialise-host.js';
import { expectClose } from '../support/close.js';
import { type Given, given, testEngine } from '../support/engine.js';
import * as pure from '../support/pure-weights.js';
import {
  arrangedProgram,
  batchOf,
  gradientsOf,
  layoutOf,
  logitsOf,
  materialiseInStep,
  parts,
  VARIANTS,
  valuesOf,
  vit,
} from './support.js';

const engine = testEngine();
afterAll(() => engine.dispose());

type Parts = Record<string, Given & { values: Float32Array }>;

/** Replaces what makes the heads by heads as they are. */
function withOwnHead(tensors: Parts, model: ModelSpec): Parts {
  const heads = [...parameterShapes(model)].filter(([name]) => name.startsWith('head'));
  return {
    ...Object.fromEntries(Object.entries(tensors).filter(([name]) => !/^(templates|scalers)\.head/.test(name))),
    ...Object.fromEntries(
      heads.map(([name, shape]) => [OWN + name, given(shape, pure.parameter(`own.${name}`, shape))]),
    ),
  };
}

const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1);

const SIZES = [
  { depth: 2, width: 24, heads: 2, template: 8 },
  { depth: 1, width: 16, heads: 4, template: 8 },
  { depth: 3, width: 12, heads: 3, template: 12 },
  { depth: 2, width: 8, heads: 1, template: 1 },
];

describe.each(CONVENTIONS)('%s', (kronecker) => {
  it.each(SIZES)('makes on the host what it makes in a step: %o', async ({ depth, width, heads, template }) => {
    const model = vit(depth, width, heads);
    const layout = layoutOf(template, { kronecker });
    const tensors = parts(model, layout);
    const onHost = materialiseValues(model, layout, valuesOf(tensors));
    const inStep = await materialiseInStep(engine, model, layout, tensors, 'standard');
    expect([...onHost.keys()]).toEqual([...parameterShapes(model).keys()]);
    expect([...inStep.keys()].sort()).toEqual([...onHost.keys()].sort());
    for (const [name, shape] of parameterShapes(model)) {
      expect(onHost.get(name)?.length, name).toBe(product(shape));
      expectClose(name, inStep.get(name), onHost.get(name) as Float32Array, { absolute: 1e-6 });
    }
  });

  it.each(Object.keys(VARIANTS))('makes every tensor of a model with %s, own heads too', async (variant) => {
    const model = vit(2, 24, 3, VARIANTS[variant]);
    const layout = layoutOf(8, { kronecker });
    for (const tensors of [parts(model, layout), withOwnHead(parts(model, layout), model)]) {
      const onHost = materialiseValues(model, layout, valuesOf(tensors));
      const inStep = await materialiseInStep(engine, model, layout, tensors, 'standard');
      expect([...onHost.keys()]).toEqual([...parameterShapes(model).keys()]);
      for (const [name, values] of onHost) expectClose(name, inStep.get(name), values, { absolute: 1e-6 });
      for (const [name, { values }] of Object.entries(tensors)) {
        if (name.startsWith(OWN)) expect(onHost.get(name.slice(OWN.length))).toEqual(values);
      }
    }
  });

  it.each(Object.keys(VARIANTS))('trains the same function in blocked arrangement: %s', async (variant) => {
    const model = vit(2, 24, 3, VARIANTS[variant]);
    const layout = layoutOf(8, { kronecker });
    for (const tensors of [parts(model, layout), withOwnHead(parts(model, layout), model)]) {
      const run = (arrangement: Arrangement) =>
        gradientsOf(engine, arrangedProgram(model, layout, 3, arrangement), tensors, batchOf(model, 3));
      const [standard, blocked] = [await run('standard'), await run('blocked')];
      const weights = materialiseValues(model, layout, valuesOf(tensors));
      const given: Record<string, Given> = Object.fromEntries(
        [...parameterShapes(model)].map(([name, shape]) => [
          name,
          { shape, values: weights.get(name) as Float32Array },
        ]),
      );
      const logits = await logitsOf(engine, model, given, 3);
      expectClose('logits, standard', standard.outputs.get(LOGITS), logits, { absolute: 1e-5 });
      expectClose('logits, blocked', blocked.outputs.get(LOGITS), logits, { absolute: 1e-5 });
      expect(blocked.gradients.size).toBe(Object.keys(tensors).length);
      for (const [name, gradient] of standard.gradients) {
        expectClose(name, blocked.gradients.get(name), gradient, { relative: 1e-4, absolute: 1e-5 });
      }
    }
  });

  it('never mixes queries, keys and values', () => {
    const model = vit(2, 24, 3);
    const layout = layoutOf(8, { kronecker });
    for (const role of [0, 1, 2]) {
      const ofRole = ({ kind, count, template }: KindShape) => {
        const size = product(template);
        return new Float32Array(count * size).map((_, i) =>
          kind.name.includes('.qkv.') && Math.floor(((i % size) * 3) / size) === role ? 1 : 0,
        );
      };
      const ones = ({ layers, count, scaler }: KindShape) => new Float32Array(layers * count * product(scaler)).fill(1);
      const weights = materialiseValues(model, layout, valuesOf(parts(model, layout, ofRole, ones)));
      for (const name of ['weight', 'bias']) {
        const values = weights.get(`blocks.1.attn.qkv.${name}`) as Float32Array;
        const inRole = [...values].map((_, i) => (Math.floor((i * 3) / values.length) === role ? layout.count : 0));
        const count = name === 'weight' ? layout.count : layout.small_count;
        expect([...values]).toEqual(inRole.map((value) => (value === 0 ? 0 : count)));
      }
    }
  });

  it.each(['standard', 'blocked'] as const)(
    'cuts the channels of a role into blocks alike in every tensor, %s',
    async (arrangement) => {
      const model = vit(2, 12, 2);
      const layout = layoutOf(4, { kronecker, count: 1, small_count: 1 });
      const maps = new Map<string, string>();
      for (const which of [0, 1]) {
        const tensors = parts(
          model,
          layout,
          (shape) => marks([1, ...shape.template], splitAxes(shape)[which]?.place, (i) => i + 1),
          (shape) => marks([shape.layers, 1, ...shape.scaler], splitAxes(shape)[which] && which, (b) => BASE ** b, 2),
        );
        const weights = await materialiseInStep(engine, model, layout, tensors, arrangement);
        for (const shape of kindShapes(model, layout)) {
          const found = splitAxes(shape)[which];
          if (!found) continue;
          const values = weights.get(parameterName(shape.kind, shape.layers - 1)) as Float32Array;
          for (const part of channelMarks(values, shape.full, found.place, found.axis)) {
            const first = maps.get(found.axis.role);
            if (first === undefined) maps.set(found.axis.role, part);
            else expect(part, `${shape.kind.name}, axis ${found.place}`).toBe(first);
          }
        }
      }
      expect([...maps.keys()].sort()).toEqual(['heads', 'hidden', 'residual']);
      const blockwise = (unit: number) =>
        Array.from({ length: 3 * unit }, (_, c) => mark(c % unit, Math.floor(c / unit)));
      const stretched = (unit: number) => Array.from({ length: 3 * unit }, (_, c) => mark(Math.floor(c / 3), c % 3));
      const inBlocks = (role: string) =>
        kronecker === 'scaler-outer' || (arrangement === 'blocked' && role !== 'heads') ? blockwise : stretched;
      for (const [role, unit] of [
        ['residual', 4],
        ['heads', 4],
        ['hidden', 16],
      ] as const) {
        expect(maps.get(role), role).toBe(inBlocks(role)(unit).join());
      }
    },
  );
});

/** Marks of channels: entry `i` of a template and block `b` give `(i + 1) * BASE^b`, which tells both. */
const BASE = 50;
const mark = (entry: number, block: number): number => (entry + 1) * BASE ** block;

function splitAxes({ kind }: KindShape): { axis: Axis; place: number }[] {
  return kind.axes.map((axis, place) => ({ axis, place })).filter(({ axis }) => axis.role !== 'fixed');
}

/** Values that depend on their index along one axis (counted after `skip` leading ones) alone; 1 without one. */
function marks(
  shape: readonly number[],
  axis: number | undefined,
  value: (index: number) => number,
  skip = 1,
): Float32Array {
  if (axis === undefined) return new Float32Array(product(shape)).fill(1);
  const stride = product(shape.slice(axis + skip + 1));
  return new Float32Array(product(shape)).map((_, i) => value(Math.floor(i / stride) % shape[axis + skip]));
}

/** The marks along one axis, for each of its roles of attention. */
function channelMarks(values: Float32Array, full: readonly number[], axis: number, { groups }: Axis): string[] {
  const stride = product(full.slice(axis + 1));
  const all = Array.from({ length: full[axis] }, (_, c) => values[c * stride]);
  const unit = all.length / groups;
  return Array.from({ length: groups }, (_, g) => {
    const part = all.slice(g * unit, (g + 1) * unit);
    // The entries of a template for queries, keys and values follow each other.
    const entries = unit / BLOCKS;
    return part.map((value) => removeGroup(value, g * entries)).join();
  });
}

const BLOCKS = 3;

function removeGroup(value: number, offset: number): number {
  const block = Math.floor(Math.log(value) / Math.log(BASE) + 1e-9);
  return value - offset * BASE ** block;
}

/**
 * The two conventions differ by an order of channels, the same on every axis of a role: channel `i * blocks + b` of
 * template-outer is channel `b * (size / blocks) + i` of scaler-outer, separately for queries, keys and values.
 */
function channelInScalerOuter(channel: number, size: number, blocks: number, groups: number): number {
  const unit = size / groups;
  const [group, within] = [Math.floor(channel / unit), channel % unit];
  return group * unit + (within % blocks) * (unit / blocks) + Math.floor(within / blocks);
}

function reordered(values: Float32Array, { full, kind, blocks }: KindShape): Float32Array {
  const result = new Float32Array(values.length);
  values.forEach((value, from) => {
    let to = 0;
    full.forEach((size, i) => {
      const channel = Math.floor(from / product(full.slice(i + 1))) % size;
      const { role, groups } = kind.axes[i];
      to = to * size + (role === 'fixed' ? channel : channelInScalerOuter(channel, size, blocks, groups));
    });
    result[to] = value;
  });
  return result;
}

describe('the two conventions', () => {
  const made = (model: ModelSpec, kronecker: Convention) => {
    const layout = layoutOf(8, { kronecker });
    return materialiseValues(model, layout, valuesOf(parts(model, layout)));
  };

  it('differ by an order of rows and columns in every kind', () => {
    const model = vit(2, 24, 3, VARIANTS['distillation and register tokens']);
    const [stretched, laidOut] = [made(model, 'template-outer'), made(model, 'scaler-outer')];
    let differing = 0;
    for (const shape of kindShapes(model, layoutOf(8))) {
      for (let layer = 0; layer < shape.layers; layer++) {
        const name = parameterName(shape.kind, layer);
        const values = stretched.get(name) as Float32Array;
        expect(reordered(values, shape), name).toEqual(laidOut.get(name));
        if (values.join() !== laidOut.get(name)?.join()) differing++;
      }
    }
    expect(differing).toBeGreaterThan(20);
  });

  it('are the same function with one head, and another with more', async () => {
    const difference = async (heads: number) => {
      const model = vit(2, 24, heads);
      const logits: Float32Array[] = [];
      for (const kronecker of ['template-outer', 'scaler-outer'] as const) {
        const values = made(model, kronecker);
        const weights = [...parameterShapes(model)].map(
          ([name, shape]) => [name, given(shape, values.get(name) as Float32Array)] as const,
        );
        logits.push(await logitsOf(engine, model, Object.fromEntries(weights), 3));
      }
      return Math.max(...logits[0].map((value, i) => Math.abs(value - logits[1][i])));
    };
    expect(await difference(1)).toBeLessThan(1e-5);
    expect(await difference(3)).toBeGreaterThan(1e-3);
  });
});

it('is the sum of the Kronecker products, entry by entry', () => {
  const model = vit(1, 6, 1, { hidden: 12 });
  const layout = layoutOf(2, { count: 2 });
  const values = valuesOf(parts(model, layout));
  const name = 'blocks.mlp.fc1.weight';
  const [templates, scalers] = [values.get(TEMPLATES + name), values.get(`scalers.${name}`)] as [
    Float32Array,
    Float32Array,
  ];
  // T_t [4, 2], S_t [3, 3], W [12, 6]: (T (x) S)[3i + p, 3j + q] = T[i, j] S[p, q].
  const weight = materialiseValues(model, layout, values).get('blocks.0.mlp.fc1.weight') as Float32Array;
  for (let row = 0; row < 12; row++) {
    for (let column = 0; column < 6; column++) {
      const sum = [0, 1].reduce((total, t) => {
        const template = templates[t * 8 + Math.floor(row / 3) * 2 + Math.floor(column / 3)];
        return total + template * scalers[t * 9 + (row % 3) * 3 + (column % 3)];
      }, 0);
      expect(weight[row * 6 + column]).toBeCloseTo(sum, 6);
    }
  }
});
