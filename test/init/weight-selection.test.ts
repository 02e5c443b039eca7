import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '#wave/checkpoint/index.js';
import { type Inputs, resized } from '#wave/init/index.js';
import { weightSelection } from '#wave/init/weight-selection.js';
import { collect } from '#wave/model/fill.js';
import { initialise } from '#wave/model/initialise.js';
import { parameterCount, parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { ANCESTOR, ancestorInputs } from './support.js';

type Options = { readonly qkv?: 'fused' | 'per-chunk'; readonly head?: 'select' | 'fresh' };

const SEED = 3;
const HEADS = 1;

function selected(inputs: Inputs, target: ModelSpec, options: Options = {}) {
  const made = weightSelection.start(inputs, { target, seed: SEED }, options);
  return { ...made, values: collect(target, made.fill) };
}

const sized = (width: number, depth: number) => resized(ANCESTOR, { width, depth, heads: HEADS });

describe('against PyTorch', () => {
  const expected = new Map<string, Float32Array>();
  beforeAll(async () => {
    const file = await openSafetensors(
      fileURLToPath(new URL('./fixtures/weight-selection.safetensors', import.meta.url)),
    );
    for (const name of file.tensors.keys()) expected.set(name, await file.readFloat32(name));
    await file.close();
  });

  it.each([
    ['third', 8, 2],
    ['uneven', 16, 3],
    ['misaligned', 20, 1],
  ])('gives the same values: %s', (name, width, depth) => {
    const target = sized(width, depth);
    const { values } = selected(ancestorInputs(), target);
    const fused = selected(ancestorInputs(), target, { qkv: 'fused' }).values;
    const differing: string[] = [];
    for (const parameter of parameterShapes(target).keys()) {
      const wanted = expected.get(`${name}/${parameter}`);
      expect(values.get(parameter), parameter).toEqual(wanted);
      const other = expected.get(`${name}/fused/${parameter}`);
      if (other !== undefined) differing.push(parameter);
      expect(fused.get(parameter), `${parameter}, fused`).toEqual(other ?? wanted);
    }
    const fusedDiffers = name === 'misaligned' ? ['blocks.0.attn.qkv.weight', 'blocks.0.attn.qkv.bias'] : [];
    expect(differing).toEqual(fusedDiffers);
  });
});

/**
 * The positions of the ancestor that one axis of a parameter of the target comes from, read off a model in which every
 * number is its own position on that axis.
 */
function mapOf(parameter: string, axis: number, target: ModelSpec, options: Options = {}): number[] {
  const values = new Map(
    [...parameterShapes(ANCESTOR)].map(([name, shape]) => {
      const stride = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
      const length = shape.reduce((product, size) => product * size, 1);
      return [name, Float32Array.from({ length }, (_, i) => Math.floor(i / stride) % (shape[axis] ?? 1))];
    }),
  );
  const { values: made } = selected({ need: 'ancestor', model: ANCESTOR, values }, target, options);
  const shape = parameterShapes(target).get(parameter) as readonly number[];
  const stride = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const found = made.get(parameter) as Float32Array;
  const map = Array.from({ length: shape[axis] }, (_, i) => found[i * stride]);
  // Whatever the other axes say, the position on this one is the same.
  found.forEach((position, i) => {
    if (position !== map[Math.floor(i / stride) % shape[axis]]) throw new Error(`${parameter} mixes its axes`);
  });
  return map;
}

/** Axes of the residual stream: every parameter that reads or writes it, and where. */
const RESIDUAL: [string, number][] = [
  ['cls_token', 2],
  ['pos_embed', 2],
  ['patch_embed.proj.weight', 0],
  ['patch_embed.proj.bias', 0],
  ['norm1.weight', 0],
  ['norm1.bias', 0],
  ['attn.qkv.weight', 1],
  ['attn.proj.weight', 0],
  ['attn.proj.bias', 0],
  ['norm2.weight', 0],
  ['norm2.bias', 0],
  ['mlp.fc1.weight', 1],
  ['mlp.fc2.weight', 0],
  ['mlp.fc2.bias', 0],
  ['norm.weight', 0],
  ['norm.bias', 0],
  ['head.weight', 1],
];
const inBlocks = ([name, axis]: [string, number]): [string, number][] =>
  /^(norm[12]|attn|mlp)\./.test(name) ? [0, 1].map((block) => [`blocks.${block}.${name}`, axis]) : [[name, axis]];

describe.each([8, 16, 20, 7, 1])('the positions kept for width %i of 24', (width) => {
  const target = sized(width, 2);
  const channels = mapOf('norm.weight', 0, target);

  it.each(RESIDUAL.flatMap(inBlocks))('are those of the residual stream in %s, axis %i', (name, axis) => {
    expect(mapOf(name, axis, target)).toEqual(channels);
  });

  it('are one map for rows of values, columns of the projection, queries and keys', () => {
    for (const block of [0, 1]) {
      const heads = mapOf(`blocks.${block}.attn.proj.weight`, 1, target);
      expect(heads).toEqual(channels);
      const joined = [0, 24, 48].flatMap((start) => heads.map((position) => start + position));
      expect(mapOf(`blocks.${block}.attn.qkv.weight`, 0, target)).toEqual(joined);
      expect(mapOf(`blocks.${block}.attn.qkv.bias`, 0, target)).toEqual(joined);
    }
  });

  it('are one map for the rows of the first and the columns of the second MLP layer', () => {
    const [hidden, ...others] = [0, 1].flatMap((block) => [
      mapOf(`blocks.${block}.mlp.fc1.weight`, 0, target),
      mapOf(`blocks.${block}.mlp.fc1.bias`, 0, target),
      mapOf(`blocks.${block}.mlp.fc2.weight`, 1, target),
    ]);
    expect(hidden).toHaveLength(4 * width);
    for (const other of others) expect(other).toEqual(hidden);
  });

  it('leave patch pixels, positions and classes as they are', () => {
    expect(mapOf('patch_embed.proj.weight', 2, target)).toEqual([0, 1, 2, 3]);
    expect(mapOf('pos_embed', 1, target)).toEqual([0, 1, 2, 3, 4]);
    expect(mapOf('head.weight', 0, target)).toEqual([0, 1, 2, 3, 4]);
    expect(mapOf('head.bias', 0, target)).toEqual([0, 1, 2, 3, 4]);
  });
});

it('takes every third channel for a third of the width', () => {
  expect(mapOf('norm.weight', 0, sized(8, 1))).toEqual([0, 3, 6, 9, 12, 15, 18, 21]);
});

it('fused, puts rows of values elsewhere than columns of the projection where the width does not divide', () => {
  const target = sized(20, 1);
  const rows = mapOf('blocks.0.attn.qkv.weight', 0, target, { qkv: 'fused' });
  const columns = mapOf('blocks.0.attn.proj.weight', 1, target, { qkv: 'fused' });
  expect(rows.slice(40).map((row) => row - 48)).not.toEqual(columns);
});

describe('what is taken over', () => {
  it('is the ancestor itself where the size is the same', () => {
    const inputs = ancestorInputs();
    for (const qkv of ['per-chunk', 'fused'] as const) {
      const { values, transferred } = selected(inputs, ANCESTOR, { qkv });
      expect(values).toEqual(inputs.values);
      expect(transferred).toBe(parameterCount(ANCESTOR));
    }
  });

  it('is the first blocks of a deeper ancestor', () => {
    const inputs = ancestorInputs();
    const { values } = selected(inputs, resized(ANCESTOR, { width: 24, depth: 2 }));
    expect([...values.keys()].some((name) => name.startsWith('blocks.2.'))).toBe(false);
    for (const [name, value] of values) expect(value).toEqual(inputs.values.get(name));
  });

  it('leaves the head out with head: fresh, which begins as DeiT has it', () => {
    const target = sized(8, 1);
    const { values, transferred } = selected(ancestorInputs(), target, { head: 'fresh' });
    const fresh = initialise(target, SEED);
    for (const name of ['head.weight', 'head.bias']) expect(values.get(name)).toEqual(fresh.get(name));
    expect(values.get('norm.weight')).not.toEqual(fresh.get('norm.weight'));
    expect(transferred).toBe(parameterCount(target) - 5 * 8 - 5);
  });

  it.each([
    ['two heads and a distillation token', { distillation_token: true }],
    ['register tokens', { register_tokens: 2 }],
    ['a mean-pooled model', { pool: 'avg', final_norm: 'fc_norm', class_token: false }],
  ] as const)('is complete for %s', (_, more) => {
    const model: ModelSpec = { ...ANCESTOR, ...more };
    const { values, transferred } = selected(ancestorInputs(model), resized(model, { width: 16, depth: 2 }));
    expect(transferred).toBe([...values.values()].reduce((total, value) => total + value.length, 0));
    expect([...values.values()].every((value) => value.some((x) => x !== 0))).toBe(true);
  });
});
