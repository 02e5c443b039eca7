/** What a bank is: kinds, shapes, which layouts and target sizes are possible, what trains. */
import { describe, expect, it } from 'vitest';
import { ModelError } from '#wave/base/errors.js';
import { parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import {
  type BankSpec,
  blocksAcross,
  checkLayout,
  countNumbers,
  kindShapes,
  scalerShapes,
  templateShapes,
} from '#wave/wave/bank.js';
import { kindName, modelKinds, parameterName } from '#wave/wave/kinds.js';
import { templateEntries } from '#wave/wave/state.js';
import { type TargetSize, targetSpec } from '#wave/wave/target.js';
import { layoutOf, parts, VARIANTS, valuesOf, vit } from './support.js';

/** DeiT-Tiny. */
const DEIT = vit(12, 192, 3, { image: [224, 224], patch: 16, channels: 3, classes: 1000 });

describe('kinds', () => {
  it.each(Object.keys(VARIANTS))('cover every parameter once, in its order: %s', (variant) => {
    const model = vit(2, 24, 3, VARIANTS[variant]);
    const names = modelKinds(model).flatMap((kind) =>
      Array.from({ length: kind.perBlock ? model.depth : 1 }, (_, block) => parameterName(kind, block)),
    );
    expect(names.sort()).toEqual([...parameterShapes(model).keys()].sort());
    for (const [name, shape] of parameterShapes(model)) {
      const kind = modelKinds(model).find((candidate) => candidate.name === kindName(name));
      expect(kind?.axes.length, name).toBe(shape.length);
      expect(
        kind?.axes.every(({ groups }, i) => shape[i] % groups === 0),
        name,
      ).toBe(true);
    }
  });

  it('are the same for every depth and width', () => {
    expect(modelKinds(vit(1, 8, 1))).toEqual(modelKinds(vit(5, 64, 4)));
  });
});

describe('shapes', () => {
  const layout = layoutOf(64, { count: 8, small_count: 2 });

  it('have templates that depend on the template width alone', () => {
    const shapes = templateShapes(DEIT, layout);
    expect(shapes).toEqual(templateShapes({ ...DEIT, depth: 3, width: 256, heads: 4, hidden: 1024 }, layout));
    expect(shapes.get('templates.blocks.attn.qkv.weight')).toEqual([8, 192, 64]);
    expect(shapes.get('templates.blocks.mlp.fc2.weight')).toEqual([8, 64, 256]);
    expect(shapes.get('templates.blocks.attn.qkv.bias')).toEqual([2, 192]);
    expect(shapes.get('templates.pos_embed')).toEqual([2, 1, 197, 64]);
    expect(shapes.get('templates.patch_embed.proj.weight')).toEqual([2, 64, 3, 16, 16]);
    expect(shapes.get('templates.head.weight')).toEqual([2, 1000, 64]);
    expect(shapes.get('templates.head.bias')).toEqual([2, 1000]);
  });

  it('have scalers with one axis for each axis that follows the width', () => {
    const shapes = scalerShapes(DEIT, layout);
    expect(shapes.get('scalers.blocks.attn.qkv.weight')).toEqual([12, 8, 3, 3]);
    expect(shapes.get('scalers.blocks.mlp.fc1.bias')).toEqual([12, 2, 3]);
    expect(shapes.get('scalers.pos_embed')).toEqual([1, 2, 3]);
    expect(shapes.get('scalers.patch_embed.proj.weight')).toEqual([1, 2, 3]);
    expect(shapes.get('scalers.head.weight')).toEqual([1, 2, 3]);
    expect(shapes.get('scalers.head.bias')).toEqual([1, 2]);
    expect([...shapes.keys()].map((name) => name.slice(8))).toEqual(kindShapes(DEIT, layout).map((s) => s.kind.name));
    expect(blocksAcross(DEIT, layout)).toBe(3);
  });

  it('count the numbers of all tensors', () => {
    expect(
      countNumbers(
        new Map([
          ['a', [2, 3]],
          ['b', []],
          ['c', [4]],
        ]),
      ),
    ).toBe(11);
    expect(countNumbers(parameterShapes(DEIT))).toBe(5_717_416);
  });
});

describe('checkLayout', () => {
  it('accepts every width that divides model and MLP', () => {
    for (const width of [192, 96, 64, 48, 1]) expect(() => checkLayout(DEIT, layoutOf(width))).not.toThrow();
  });

  it('names the widths that fit when the width does not divide', () => {
    const check = () => checkLayout(vit(1, 24, 1), layoutOf(9));
    expect(check).toThrow(ModelError);
    expect(check).toThrow(
      "templates.width: 9 does not divide the auxiliary model's width 24; choose one of 1, 2, 3, 4, 6, 8, 12, 24",
    );
  });

  it('names the widths that fit when the MLP cannot be cut', () => {
    expect(() => checkLayout(vit(1, 24, 1, { hidden: 50 }), layoutOf(8), 'ancestor')).toThrow(
      'templates.width: 8 cuts the ancestor into 3 blocks, which its MLP of 50 units does not divide into; ' +
        'choose one of 12, 24',
    );
  });
});

describe('targetSpec', () => {
  const bank: BankSpec = { model: vit(6, 128, 4), templates: layoutOf(32) };
  const target = (size: TargetSize, model: ModelSpec = bank.model, width = 32): ModelSpec =>
    targetSpec({ model, templates: layoutOf(width) }, size);

  it('keeps all but depth, width, heads and hidden; head size and MLP ratio stay', () => {
    expect(target({ depth: 8, width: 96 })).toEqual({ ...bank.model, depth: 8, width: 96, heads: 3, hidden: 384 });
    expect(target({ depth: 1, width: 320 }, { ...bank.model, hidden: 192 })).toEqual({
      ...bank.model,
      depth: 1,
      width: 320,
      heads: 10,
      hidden: 480,
    });
  });

  it('is the auxiliary model at its own size', () => {
    expect(target({ depth: 6, width: 128 })).toEqual(bank.model);
  });

  it('takes other heads when they are given', () => {
    expect(target({ depth: 2, width: 96, heads: 6 }).heads).toBe(6);
    expect(() => target({ depth: 2, width: 96, heads: 5 })).toThrow(
      "heads 5 does not divide width 96; the bank's head size is 32",
    );
  });

  it.each<[string, TargetSize, string]>([
    [
      'between two',
      { depth: 2, width: 100 },
      'width 100 is no multiple of the template width 32; the nearest valid widths are 96 and 128',
    ],
    [
      'below the first',
      { depth: 2, width: 20 },
      'width 20 is no multiple of the template width 32; the nearest valid width is 32',
    ],
  ])('names the nearest widths: %s', (_, size, message) => {
    expect(() => target(size)).toThrow(ModelError);
    expect(() => target(size)).toThrow(message);
  });

  it('needs a multiple of template width and head size unless heads are given', () => {
    const model = vit(6, 96, 2);
    expect(() => target({ depth: 2, width: 64 }, model)).toThrow(
      'width 64 is no multiple of the head size 48 (or give the heads); the nearest valid width is 96',
    );
    expect(() => target({ depth: 2, width: 100 }, model)).toThrow(
      'width 100 is no multiple of the template width 32 and of the head size 48; ' +
        'the nearest valid widths are 96 and 192',
    );
    expect(() => target({ depth: 2, width: 160 }, model)).toThrow('the nearest valid widths are 96 and 192');
    expect(target({ depth: 2, width: 192 }, model).heads).toBe(4);
    expect(target({ depth: 2, width: 64, heads: 2 }, model).heads).toBe(2);
  });

  it.each([
    [{ depth: 0, width: 32 }, 'depth must be a whole number of at least 1, found 0'],
    [{ depth: 2, width: 32.5 }, 'width must be a whole number of at least 1, found 32.5'],
    [{ depth: 2, width: -32 }, 'width must be a whole number of at least 1, found -32'],
    [{ depth: 2, width: 32, heads: 0 }, 'heads must be a whole number of at least 1, found 0'],
    [{ depth: 1e9, width: 32 }, 'depth must be at most 1024, found 1000000000'],
    [{ depth: 2, width: 2 ** 40 }, 'width must be at most 65536, found 1099511627776'],
    [{ depth: Number.NaN, width: 32 }, 'depth must be a whole number of at least 1, found NaN'],
  ])('refuses sizes that no model has: %o', (size, message) => {
    expect(() => target(size)).toThrow(message);
  });
});

describe('templateEntries', () => {
  const model = vit(2, 16, 2, { distillation_token: true });
  const layout = layoutOf(8);
  const values = valuesOf(parts(model, layout));
  const rules = (rule: Parameters<typeof templateEntries>[3], given = values) =>
    new Map([...templateEntries(model, layout, given, rule)].map(([name, entry]) => [name, entry.rule]));

  it('hold every template and scaler with its shape and values', () => {
    const entries = templateEntries(model, layout, values, { templates: true, scalers: true });
    const shapes = new Map([...templateShapes(model, layout), ...scalerShapes(model, layout)]);
    expect([...entries.keys()]).toEqual([...shapes.keys()]);
    for (const [name, { spec, values: own }] of entries) {
      expect(spec).toEqual({ shape: shapes.get(name), dtype: 'float32' });
      expect(own).toBe(values.get(name));
    }
  });

  it('train what the rule says', () => {
    for (const [name, { trained }] of rules({ templates: false, scalers: true })) {
      expect(trained, name).toBe(name.startsWith('scalers.'));
    }
    for (const [name, { trained }] of rules({ templates: true, scalers: false })) {
      expect(trained, name).toBe(name.startsWith('templates.'));
    }
  });

  it('decay the templates of what decays in an ordinary model, and no scaler', () => {
    const decayed = [...rules({ templates: true, scalers: true, weightDecay: 0.05 })].filter(
      ([, { weightDecay }]) => weightDecay !== 0,
    );
    expect(decayed.map(([name]) => name).sort()).toEqual([
      'templates.blocks.attn.proj.weight',
      'templates.blocks.attn.qkv.weight',
      'templates.blocks.mlp.fc1.weight',
      'templates.blocks.mlp.fc2.weight',
      'templates.head.weight',
      'templates.head_dist.weight',
      'templates.patch_embed.proj.weight',
    ]);
    expect(decayed.every(([, { weightDecay }]) => weightDecay === 0.05)).toBe(true);
    expect([...rules({ templates: true, scalers: true })].every(([, rule]) => rule.weightDecay === 0)).toBe(true);
  });

  it('put an own head in the place of its templates and scalers', () => {
    const own = new Map(values);
    for (const name of ['head.weight', 'head_dist.weight', 'head.bias', 'head_dist.bias']) {
      const [size] = [
        parameterShapes(model)
          .get(name)
          ?.reduce((total, n) => total * n, 1),
      ];
      own.set(`own.${name}`, new Float32Array(size as number));
    }
    const found = rules({ templates: false, scalers: true, weightDecay: 0.1 }, own);
    const heads = [...found].filter(([name]) => name.includes('head'));
    expect(heads).toEqual([
      ['own.head.weight', { trained: true, weightDecay: 0.1, learningRateScale: 1 }],
      ['own.head.bias', { trained: true, weightDecay: 0, learningRateScale: 1 }],
      ['own.head_dist.weight', { trained: true, weightDecay: 0.1, learningRateScale: 1 }],
      ['own.head_dist.bias', { trained: true, weightDecay: 0, learningRateScale: 1 }],
    ]);
    expect(found.size).toBe(rules({ templates: false, scalers: true }).size - 4);
  });
});
