/** What fine-tuning adds to training: layer-wise decay, frozen parameters, the average of the weights. */
import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { type DataFacts, modelSchema, resolveModel } from '#wave/model/config.js';
import { initialise } from '#wave/model/initialise.js';
import { parameterShapes } from '#wave/model/parameters.js';
import {
  averageDecay,
  finetuneTrainSchema,
  frozenParameters,
  layerScale,
  modelEntries,
  ParameterAverage,
} from '#wave/train/index.js';

const data: DataFacts = { channels: 1, classes: 3, image: [8, 8], preprocess: { mean: [0], std: [1] } };
const specOf = (changes: object) =>
  resolveModel(modelSchema.parse({ patch: 4, depth: 3, width: 8, heads: 2, ...changes }), data);
const spec = specOf({ distillation_token: true, register_tokens: 2 });
const names = [...parameterShapes(spec).keys()];

describe('layer-wise decay', () => {
  it('has the factors of each layer, of every parameter', () => {
    const expected: [RegExp, number][] = [
      [/^(cls_token|dist_token|reg_token|pos_embed|patch_embed\.proj\.(weight|bias))$/, 1 / 16],
      [/^blocks\.0\./, 1 / 8],
      [/^blocks\.1\./, 1 / 4],
      [/^blocks\.2\./, 1 / 2],
      [/^(norm|head|head_dist)\.(weight|bias)$/, 1],
    ];
    const found = names.map((name) => [name, layerScale(name, 3, 0.5)]);
    expect(found).toEqual(names.map((name) => [name, expected.find(([pattern]) => pattern.test(name))?.[1]]));
  });

  it.each([1, 2, 12])('falls by the same factor from the head down to the embedding, for depth %i', (depth) => {
    // Counted from the output, the other way round: one factor more for each layer that is passed.
    let scale = 1;
    const passed = ['fc_norm.bias', ...Array.from({ length: depth }, (_, i) => `blocks.${depth - 1 - i}.norm1.bias`)];
    for (const name of [...passed, 'pos_embed']) {
      expect(layerScale(name, depth, 0.75)).toBeCloseTo(scale, 12);
      scale *= 0.75;
    }
  });

  it('is off at 1', () => {
    expect(new Set(names.map((name) => layerScale(name, 3, 1)))).toEqual(new Set([1]));
  });

  it('and frozen parameters reach the rules that the engine is given', () => {
    const entries = modelEntries(spec, initialise(spec, 0), {
      trained: (name) => name !== 'pos_embed',
      weightDecay: 0.1,
      learningRateScale: (name) => layerScale(name, 3, 0.5),
    });
    expect(entries.get('pos_embed')?.rule).toEqual({ trained: false, weightDecay: 0, learningRateScale: 1 / 16 });
    expect(entries.get('blocks.2.mlp.fc1.weight')?.rule).toEqual({
      trained: true,
      weightDecay: 0.1,
      learningRateScale: 0.5,
    });
  });
});

describe('frozen parameters', () => {
  const frozen = (...entries: string[]) => [...frozenParameters(spec, entries)].sort();
  const matching = (pattern: RegExp) => names.filter((name) => pattern.test(name)).sort();

  it.each([
    [['embeddings'], /^(cls_token|dist_token|reg_token|pos_embed|patch_embed\.)/],
    [['norms'], /(^|\.)norm\d?\./],
    [['head'], /^head/],
    [['blocks'], /^blocks\./],
    [['blocks.1'], /^blocks\.1\./],
    [['blocks.0-1'], /^blocks\.[01]\./],
    [['blocks.1-2.mlp'], /^blocks\.[12]\.mlp\./],
    [['blocks.attn'], /\.attn\./],
    [['blocks.2.attn.qkv.weight', 'pos_embed'], /^(blocks\.2\.attn\.qkv\.weight|pos_embed)$/],
    [['norm'], /^norm\./],
    [['head_dist', 'patch_embed'], /^(head_dist|patch_embed)\./],
    [['blocks', 'blocks.1', 'embeddings'], /^(blocks\.|cls_|dist_|reg_|pos_|patch_)/],
    [[], /^$/],
  ])('are those that %j names', (entries, pattern) => {
    expect(frozen(...entries)).toEqual(matching(pattern));
  });

  it('are counted in tens, not letter by letter', () => {
    const deep = specOf({ depth: 12 });
    const blocks = [...frozenParameters(deep, ['blocks.1'])].map((name) => name.split('.')[1]);
    expect(new Set(blocks)).toEqual(new Set(['1']));
    const range = [...frozenParameters(deep, ['blocks.9-11'])].map((name) => Number(name.split('.')[1]));
    expect(new Set(range)).toEqual(new Set([9, 10, 11]));
  });

  it.each([
    [['blocks.3'], '"blocks.3" names a block that the model does not have; its blocks are 0 to 2'],
    [['blocks.0-3'], '"blocks.0-3" names a block that the model does not have; its blocks are 0 to 2'],
    [['blocks.2-1'], '"blocks.2-1" runs backwards; put the lower block first'],
    [['embedding'], '"embedding" names no parameter of the model; give embeddings, norms, head, blocks,'],
    [['fc_norm'], '"fc_norm" names no parameter of the model'],
    [['blocks.1.att'], '"blocks.1.att" names no parameter of the model'],
    [['embeddings', 'blocks', 'norm', 'head'], '[embeddings, blocks, norm, head] leaves no parameter to train'],
  ])('are refused for %j in one line', (entries, message) => {
    expect(() => frozenParameters(spec, entries)).toThrow(ConfigError);
    expect(() => frozenParameters(spec, entries)).toThrow(`train.freeze: ${message}`);
    expect(() => frozenParameters(spec, entries)).toThrow(/^[^\n]+$/);
  });

  it('of a model with one block are named as such', () => {
    expect(() => frozenParameters(specOf({ depth: 1 }), ['blocks.0-1'])).toThrow('its only block is 0');
  });

  it.each(['', 'Blocks', 'blocks.', 'blocks.*', 'blocks.0-', 'blocks.0 - 3', 'blocks.0-1.2-3'])(
    'are not written %j',
    (entry) => {
      expect(finetuneTrainSchema.safeParse({ epochs: 1, freeze: [entry] }).success).toBe(false);
    },
  );
});

describe('the average of the weights', () => {
  const start = () => new Map([['a', Float32Array.of(1, -2)]]);

  it('is the weighted sum of all that it has seen', () => {
    const seen = [3, 5, -1];
    const average = new ParameterAverage({ decay: 0.9, warmup: false }, start());
    seen.forEach((value, i) => {
      average.update(new Map([['a', Float32Array.of(value, -2)]]), i + 1);
    });
    const expected = 0.9 ** 3 * 1 + 0.1 * (0.9 ** 2 * 3 + 0.9 * 5 - 1);
    expect(average.values.get('a')?.[0]).toBeCloseTo(expected, 6);
    expect(average.values.get('a')?.[1]).toBe(-2);
  });

  it('follows more closely in the first steps of a warm-up, and never beyond its decay', () => {
    const decays = [1, 8, 1000, 100_000].map((step) => averageDecay({ decay: 0.99, warmup: true }, step));
    expect(decays).toEqual([2 / 11, 0.5, 0.99, 0.99]);
    expect(averageDecay({ decay: 0.99, warmup: false }, 1)).toBe(0.99);
  });

  it('leaves the arrays alone that it was given', () => {
    const given = start();
    const average = new ParameterAverage({ decay: 0.5, warmup: false }, given);
    average.update(new Map([['a', Float32Array.of(9, 9)]]), 1);
    expect(given).toEqual(start());
    const saved = start();
    average.restore(saved);
    average.update(new Map([['a', Float32Array.of(9, 9)]]), 2);
    expect(saved).toEqual(start());
    expect(average.values.get('a')).toEqual(Float32Array.of(5, 3.5));
  });
});
