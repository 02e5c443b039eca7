/** Positions are resized as timm's and transformers' own functions do it, and grids of values as torch does. */
import { beforeAll, describe, expect, it } from 'vitest';
import { FILTERS, resampleAxis } from '#wave/base/resample.js';
import { type PositionFilter, resizePositions } from '#wave/model/resize-positions.js';
import { expectClose } from '../../support/close.js';
import { specOf, tensorFixture } from '../support.js';
import { interop } from './support.js';

const CLOSE = { absolute: 1e-5, relative: 1e-6 };
const WIDTH = 6;
const PATCH = 2;

let positions: Map<string, Float32Array>;
let grids: Map<string, Float32Array>;
beforeAll(async () => {
  ({ tensors: positions } = await tensorFixture('', interop('positions.safetensors')));
  ({ tensors: grids } = await tensorFixture('', interop('resample.safetensors')));
});

type Grid = readonly [number, number];
const pixels = ([rows, columns]: Grid): [number, number] => [rows * PATCH, columns * PATCH];

function resized(name: string, prefix: number, from: Grid, to: Grid, filter: PositionFilter) {
  const sizes = { width: WIDTH, depth: 1, heads: 2, image: 8, patch: PATCH, channels: 1, classes: 2 };
  const spec = specOf(sizes, { image: pixels(from), distillation_token: prefix === 2 });
  const values = new Map([
    ['pos_embed', positions.get(`${name}.from`) as Float32Array],
    ['cls_token', new Float32Array(WIDTH)],
  ]);
  return resizePositions({ spec, values }, pixels(to), filter);
}

describe.each(['timm', 'huggingface'] as const)('positions of %s', (filter) => {
  it.each([
    ['grow', 1, [4, 4], [6, 6]],
    ['shrink', 2, [6, 6], [3, 3]],
    ['oblong', 1, [4, 4], [3, 7]],
    // As many patches as before: a comparison of counts would leave them as they are.
    ['regrid', 1, [2, 8], [4, 4]],
  ] as const)('%s', (name, prefix, from, to) => {
    const { spec, values } = resized(name, prefix, from, to, filter);
    expect(spec.image).toEqual(pixels(to));
    const wanted = positions.get(`${name}.${filter}`) as Float32Array;
    expectClose(name, values.get('pos_embed'), wanted, CLOSE);
    expect(values.get('cls_token')).toEqual(new Float32Array(WIDTH));
    const rows = prefix * WIDTH;
    expect(values.get('pos_embed')?.slice(0, rows)).toEqual(positions.get(`${name}.from`)?.slice(0, rows));
  });
});

it('the two libraries differ, so that the wrong one would show', () => {
  const timm = resized('shrink', 2, [6, 6], [3, 3], 'timm').values.get('pos_embed') as Float32Array;
  const wanted = positions.get('shrink.huggingface') as Float32Array;
  expect(Math.max(...timm.map((value, i) => Math.abs(value - wanted[i])))).toBeGreaterThan(0.1);
});

it('the same grid is left as it is', () => {
  const { values } = resized('grow', 1, [4, 4], [4, 4], 'timm');
  expect(values.get('pos_embed')).toBe(positions.get('grow.from'));
});

describe.each(FILTERS)('filter %s', (filter) => {
  it.each([
    [9, 14],
    [3, 2],
    [7, 5],
    [1, 1],
    [5, 20],
  ])('to %i x %i', (height, width) => {
    const values = grids.get('values') as Float32Array;
    const wide = resampleAxis(values, { outer: 14, size: 5, inner: 1 }, width, filter);
    const all = resampleAxis(wide, { outer: 2, size: 7, inner: width }, height, filter);
    expectClose(filter, all, grids.get(`${filter}.${height}x${width}`) as Float32Array, CLOSE);
  });
});
