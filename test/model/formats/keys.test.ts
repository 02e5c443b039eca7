/** Names go one way only: every tensor to one parameter, and back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSafetensors } from '#wave/checkpoint/index.js';
import { CLASSIC, chosenNames, type HuggingFaceNames, huggingFaceKeys } from '#wave/model/formats/huggingface-keys.js';
import { prefixedKeys, tableKeys } from '#wave/model/formats/keys.js';
import { recognise } from '#wave/model/formats/recognise.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { specOf } from '../support.js';
import { CASES, interop } from './support.js';

async function shapesOf(name: string): Promise<Map<string, readonly number[]>> {
  const file = await openSafetensors(interop(name));
  await file.close();
  return new Map([...file.tensors].map(([tensor, { shape }]) => [tensor, shape]));
}

describe.each(CASES)('%s', (name) => {
  it('has each tensor in one parameter, and each parameter in tensors of the file', async () => {
    const shapes = await shapesOf(name);
    const { keys, parts, ignored, unknown } = recognise(shapes, name);
    expect([ignored, unknown]).toEqual([[], []]);
    const back = [...parts.keys()].flatMap((parameter) => keys.tensorsOf(parameter));
    expect(back.toSorted()).toEqual([...shapes.keys()].toSorted());
    for (const tensor of shapes.keys()) expect(keys.tensorsOf(keys.parameterOf(tensor) ?? '')).toContain(tensor);
  });
});

const STYLES: HuggingFaceNames[] = (['vit.', 'deit.', ''] as const).flatMap((base) =>
  [CLASSIC.block, 'layers.{n}'].flatMap((block) =>
    (['attention.attention', 'attention'] as const).flatMap((attention) =>
      (['dense', 'mlp'] as const).flatMap((mlp) =>
        (['none', 'token', 'head'] as const).map((distillation) => ({ base, block, attention, mlp, distillation })),
      ),
    ),
  ),
);

describe('rules of Hugging Face', () => {
  const sizes = { width: 12, depth: 12, heads: 3, image: 16, patch: 4, channels: 3, classes: 5 };

  it.each(STYLES)('%o', (names) => {
    const keys = huggingFaceKeys(names);
    const spec = specOf(sizes, {
      distillation_token: names.distillation === 'head',
      register_tokens: names.distillation === 'token' ? 1 : 0,
    });
    const owners = new Map<string, string>();
    for (const parameter of parameterShapes(spec).keys()) {
      const tensors = keys.tensorsOf(parameter);
      expect(tensors.length, parameter).toBe(/attn\.qkv/.test(parameter) ? 3 : 1);
      for (const tensor of tensors) {
        expect(owners.has(tensor), tensor).toBe(false);
        owners.set(tensor, parameter);
        expect(keys.parameterOf(tensor)).toBe(parameter);
      }
    }
    expect(chosenNames((tensor) => owners.has(tensor))).toEqual(names);
  });
});

describe('names that only look like others', () => {
  const keys = huggingFaceKeys({ base: 'vit.', ...CLASSIC, distillation: 'none' });
  const refactored = huggingFaceKeys({
    base: 'vit.',
    block: 'layers.{n}',
    attention: 'attention',
    mlp: 'mlp',
    distillation: 'none',
  });

  it('block 1 is not block 10', () => {
    const name = (block: number) => `vit.encoder.layer.${block}.layernorm_before.weight`;
    expect(keys.parameterOf(name(1))).toBe('blocks.1.norm1.weight');
    expect(keys.parameterOf(name(10))).toBe('blocks.10.norm1.weight');
    expect(keys.tensorsOf('blocks.10.norm1.weight')).toEqual([name(10)]);
    expect(keys.tensorsOf('blocks.1.norm1.weight')).toEqual([name(1)]);
  });

  it.each([
    'vit.layers.0.attention.q_proj_extra.weight',
    'vit.layers.0.attention.rq_proj.weight',
    'vit.layers.0.cross.attention.q_proj.weight',
    'vit.layers.0.attention.q_proj.weight.scale',
    'vit.layers.0.attention.q_projAweight',
    'vit.layers.00.attention.q_proj.weight',
    'vit.layers.x.attention.q_proj.weight',
    'vit.layers.{n}.attention.q_proj.weight',
    'vit.layers..attention.q_proj.weight',
    'vit.layers.0.1.attention.q_proj.weight',
    'avit.layers.0.attention.q_proj.weight',
    'model.vit.layers.0.attention.q_proj.weight',
    'vit.layers.0.mlp.fc1',
    'constructor',
    '__proto__',
    '',
  ])('%s is unknown', (name) => {
    expect(refactored.parameterOf(name)).toBeUndefined();
  });

  it('a parameter that the format does not have has no tensors', () => {
    for (const name of ['dist_token', 'reg_token', 'fc_norm.weight', 'blocks.{n}.norm1.weight', 'toString', '']) {
      expect(keys.tensorsOf(name)).toEqual([]);
    }
  });

  it('no name has two meanings, whatever it is', () => {
    const segment = fc.constantFrom(
      'vit',
      'layers',
      'attention',
      'q_proj',
      'weight',
      'mlp',
      'fc1',
      '0',
      '1',
      '10',
      '{n}',
    );
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 7 }), (segments) => {
        const name = segments.join('.');
        const parameter = refactored.parameterOf(name);
        if (parameter !== undefined) expect(refactored.tensorsOf(parameter)).toContain(name);
      }),
    );
  });

  it('a table that says one thing twice is refused', () => {
    expect(() =>
      tableKeys([
        ['a', 'x'],
        ['b', 'x'],
      ]),
    ).toThrow('two rules for x');
    expect(() =>
      tableKeys([
        ['a', 'x'],
        ['a', 'y'],
      ]),
    ).toThrow('two rules for a');
  });

  it('a prefix stands before the whole name', () => {
    const wrapped = prefixedKeys('module.');
    expect(wrapped.parameterOf('module.cls_token')).toBe('cls_token');
    expect(wrapped.parameterOf('amodule.cls_token')).toBeUndefined();
    expect(wrapped.tensorsOf('cls_token')).toEqual(['module.cls_token']);
  });
});
