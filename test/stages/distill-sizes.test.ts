/** Which sizes a distillation trains: lists, ranges, the rule of `auto`, and the draw of each step. */
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { modelSchema, resolveModel } from '#wave/model/config.js';
import type { sizesSchema } from '#wave/stages/distill-config.js';
import { autoSizes, distilledModels, drawModel, sizeLabel } from '#wave/stages/distill-sizes.js';
import type { BankSpec } from '#wave/wave/index.js';

/** Width 64, depth 6, heads of 16, templates of width 16: valid widths are multiples of 16. */
function bank({ width = 64, depth = 6, heads = 4, template = 16 } = {}): BankSpec {
  const model = resolveModel(modelSchema.parse({ patch: 4, depth, width, heads }), {
    image: [16, 16],
    channels: 1,
    classes: 4,
    preprocess: { mean: [0.5], std: [0.5] },
  });
  return { model, templates: { width: template, count: 8, small_count: 2, kronecker: 'template-outer' } };
}
const labels = (sizes: z.output<typeof sizesSchema>, of = bank()) =>
  distilledModels(sizes, of).map((model) => sizeLabel(model, of.model));

describe('a list of sizes', () => {
  it('makes all combinations of ranges, of widths only the valid ones', () => {
    expect(labels([{ depth: [2, 4], width: [30, 60] }])).toEqual(['32x2', '32x3', '32x4', '48x2', '48x3', '48x4']);
  });

  it('names each size once, and leaves out the auxiliary one', () => {
    expect(
      labels([
        { depth: [5, 6], width: 64 },
        { depth: 5, width: [64, 80] },
      ]),
    ).toEqual(['64x5', '80x5']);
  });

  it('takes other heads, which only stand in the name where they are other ones', () => {
    const sizes = [
      { depth: 2, width: 48, heads: 1 },
      { depth: 2, width: 48, heads: 3 },
      { depth: 6, width: 64, heads: 2 },
      { depth: 6, width: 64, heads: 4 },
    ];
    expect(labels(sizes)).toEqual(['48x2h1', '48x2', '64x6h2']);
    expect(distilledModels(sizes, bank()).map(({ heads }) => heads)).toEqual([1, 3, 2]);
  });

  it('takes of a range of widths those that the heads divide', () => {
    expect(labels([{ depth: 2, width: [16, 100], heads: 6 }])).toEqual(['48x2h6', '96x2']);
  });

  it('keeps the size of heads', () => {
    expect(distilledModels([{ depth: 2, width: 48 }], bank())).toMatchObject([{ heads: 3, hidden: 192 }]);
  });

  it.each([
    [[{ depth: 4, width: [33, 47] }], /^distill\.sizes\.0\.width: no multiple of 16 lies in \[33, 47\]/],
    [[{ depth: [4, 2], width: 32 }], /^distill\.sizes\.0\.depth: a range begins with its smaller end/],
    [
      [
        { depth: 1, width: 32 },
        { depth: 4, width: 40 },
      ],
      /^distill\.sizes\.1: width 40 is no multiple/,
    ],
    [[{ depth: 4, width: 48, heads: 5 }], /^distill\.sizes\.0: heads 5 does not divide width 48/],
    [[{ depth: [1, 12], width: [16, 48] }], /^distill\.sizes: makes 36 sizes, at most 32/],
    [[{ depth: [1, 1e9], width: 16 }], /^distill\.sizes\.0\.depth: \[1, 1000000000\] makes 1000000000 sizes/],
  ] as const)('is refused: %j', (sizes, message) => {
    expect(() =>
      labels(sizes.map(({ depth, width, ...heads }) => ({ depth: pair(depth), width: pair(width), ...heads }))),
    ).toThrow(message);
  });
});

const pair = (value: number | readonly [number, number]): number | [number, number] =>
  typeof value === 'number' ? value : [...value];

describe('auto', () => {
  it.each([
    ['a usual model', bank()],
    ['a model of one block', bank({ depth: 1 })],
    ['templates as wide as the model', bank({ width: 32, heads: 2, template: 32 })],
    ['a large model', bank({ width: 768, heads: 12, depth: 12, template: 64 })],
  ])('makes a few valid sizes for %s', (_name, given) => {
    const sizes = distilledModels('auto', given);
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes.length).toBeLessThanOrEqual(8);
    expect(sizes.map((size) => sizeLabel(size))).not.toContain(sizeLabel(given.model));
    expect(new Set(sizes.map((size) => sizeLabel(size))).size).toBe(sizes.length);
  });

  it('surrounds the auxiliary model: narrower and wider, shallower and deeper', () => {
    expect(autoSizes(bank()).map((size) => sizeLabel(size))).toEqual([
      '32x4',
      '32x8',
      '48x2',
      '64x2',
      '64x4',
      '64x8',
      '80x8',
      '96x4',
    ]);
  });

  it('snaps to valid widths', () => {
    const sizes = autoSizes(bank({ width: 192, heads: 3, depth: 12, template: 64 }));
    expect(sizes.map((size) => sizeLabel(size))).toEqual([
      '128x8',
      '128x16',
      '128x4',
      '192x4',
      '192x8',
      '192x16',
      '256x16',
      '320x8',
    ]);
  });
});

describe('the draw of a step', () => {
  const draws = (seed: number, share: number) =>
    Array.from({ length: 3000 }, (_, step) => drawModel(seed, step, 3, share));

  it('is a pure function of seed and step', () => {
    expect(draws(1, 0.5)).toEqual(draws(1, 0.5));
    expect(draws(1, 0.5)).not.toEqual(draws(2, 0.5));
  });

  it('gives the auxiliary model its share and the others equal ones', () => {
    const drawn = draws(0, 0.6);
    const shares = [0, 1, 2, 3].map((which) => drawn.filter((value) => value === which).length / drawn.length);
    expect(shares[0]).toBeCloseTo(0.4, 1);
    for (const share of shares.slice(1)) expect(share).toBeCloseTo(0.2, 1);
  });

  it('takes only the auxiliary model when there is no other, or no share', () => {
    expect(Array.from({ length: 50 }, (_, step) => drawModel(0, step, 0, 1))).toEqual(new Array(50).fill(0));
    expect(new Set(draws(0, 0))).toEqual(new Set([0]));
  });
});
