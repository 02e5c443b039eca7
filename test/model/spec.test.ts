/** Specs, parameter shapes, initial values and detection, without an engine. */
import { describe, expect, it } from 'vitest';
import { ConfigError, ModelError } from '#wave/base/errors.js';
import { detectSpec, type Hints } from '#wave/model/detect.js';
import { initialise } from '#wave/model/initialise.js';
import { isDecayed, parameterCount, parameterShapes } from '#wave/model/parameters.js';
import { PRESETS, type PresetName } from '#wave/model/presets.js';
import { geometry, type ModelSpec } from '#wave/model/spec.js';
import { specOf, TINY } from './support.js';

const tiny = (more: Partial<ModelSpec> = {}): ModelSpec => specOf(TINY, more);

describe('geometry', () => {
  it('counts patches, tokens and positions', () => {
    expect(geometry(tiny({ image: [4, 8], register_tokens: 3, distillation_token: true }))).toEqual({
      grid: [2, 4],
      patches: 8,
      prefix: 5,
      tokens: 13,
      patchDim: 12,
      headSize: 6,
      positions: 13,
    });
    expect(geometry(tiny({ register_tokens: 3, position_prefix: false })).positions).toBe(9);
  });

  it.each<[string, Partial<ModelSpec>, string]>([
    [
      'width by heads',
      { heads: 5 },
      'model: width 12 is not divisible by heads 5: choose heads among 1, 2, 3, 4, 6, 12',
    ],
    [
      'height by patch',
      { image: [7, 6] },
      'model: image 7x6 is not divisible by patch 2: choose a patch that divides both sides',
    ],
    [
      'image width by patch',
      { image: [6, 7] },
      'model: image 6x7 is not divisible by patch 2: choose a patch that divides both sides',
    ],
    [
      'pooling a class token that is not there',
      { class_token: false },
      'model: pool "token" needs class_token: true; use pool "avg" for a model without class token',
    ],
    [
      'a distillation token beside mean pooling',
      { pool: 'avg', distillation_token: true },
      'model: a distillation token needs pool "token"',
    ],
  ])('refuses %s', (_, more, message) => {
    expect(() => geometry(tiny(more))).toThrow(ModelError);
    expect(() => geometry(tiny(more))).toThrow(message);
  });
});

describe('presets', () => {
  it.each<[PresetName, number]>([
    ['deit-tiny', 5_717_416],
    ['deit-small', 22_050_664],
    ['deit-base', 86_567_656],
  ])('%s has %i parameters for 1000 classes', (name, count) => {
    expect(parameterCount(specOf({ ...PRESETS[name], classes: 1000 }))).toBe(count);
  });

  it.each(Object.entries(PRESETS))('%s fits together', (_, preset) => {
    expect(geometry(specOf({ ...preset, classes: 10 })).headSize).toBeGreaterThanOrEqual(32);
  });
});

describe('weight decay', () => {
  it('applies to matrices and the patch embedding, not to tokens, positions, norms and biases', () => {
    const shapes = parameterShapes(tiny({ distillation_token: true, register_tokens: 2 }));
    const decayed = [...shapes].filter(([name, shape]) => isDecayed(name, shape)).map(([name]) => name);
    const matrices = ['attn.qkv', 'attn.proj', 'mlp.fc1', 'mlp.fc2'];
    expect(decayed).toEqual([
      'patch_embed.proj.weight',
      ...[0, 1].flatMap((block) => matrices.map((name) => `blocks.${block}.${name}.weight`)),
      'head.weight',
      'head_dist.weight',
    ]);
  });
});

function statistics(values: Float32Array): { mean: number; deviation: number; largest: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance), largest: values.reduce((most, x) => Math.max(most, Math.abs(x)), 0) };
}

describe('initialise', () => {
  const model = specOf({ ...PRESETS['vit-28-micro'], classes: 10 }, { distillation_token: true, register_tokens: 4 });
  const values = initialise(model, 7);

  it('gives every parameter its shape, in order', () => {
    const sizes = [...parameterShapes(model)].map(([name, shape]) => [name, shape.reduce((n, size) => n * size, 1)]);
    expect([...values].map(([name, tensor]) => [name, tensor.length])).toEqual(sizes);
  });

  it.each([...parameterShapes(model).keys()])('%s is drawn as DeiT draws it', (name) => {
    const tensor = values.get(name) as Float32Array;
    const { mean, deviation, largest } = statistics(tensor);
    if (name.startsWith('patch_embed.')) {
      // Uniform within 1/7: 49 pixels go into each output.
      expect(largest).toBeLessThanOrEqual(1 / 7);
      expect(largest).toBeGreaterThan(0.9 / 7);
      expect(Math.abs(deviation * 7 - Math.sqrt(1 / 3))).toBeLessThan(2 / Math.sqrt(tensor.length));
    } else if (/norm\d?\.weight$/.test(name)) {
      expect([mean, deviation]).toEqual([1, 0]);
    } else if (name.endsWith('.bias')) {
      expect(largest).toBe(0);
    } else {
      // Five standard errors of mean and deviation.
      expect(Math.abs(mean)).toBeLessThan((5 * 0.02) / Math.sqrt(tensor.length));
      expect(Math.abs(deviation - 0.02)).toBeLessThan((5 * 0.02) / Math.sqrt(2 * tensor.length));
    }
  });

  it('does not draw two tensors alike', () => {
    const drawn = [...values].filter(([, tensor]) => statistics(tensor).deviation > 0);
    expect(new Set(drawn.map(([, tensor]) => tensor.slice(0, 4).join())).size).toBe(drawn.length);
  });

  it('does not depend on the depth', () => {
    const deeper = initialise({ ...model, depth: 9 }, 7);
    for (const [name, tensor] of values) expect(deeper.get(name)).toEqual(tensor);
  });

  it('depends on the seed alone', () => {
    expect(initialise(model, 7)).toEqual(values);
    expect(initialise(model, 8).get('head.weight')).not.toEqual(values.get('head.weight'));
  });
});

describe('detectSpec', () => {
  const detect = (change: (shapes: Map<string, readonly number[]>) => void, hints: Hints = { heads: 2 }) => {
    const shapes = new Map(parameterShapes(tiny()));
    change(shapes);
    return () => detectSpec(shapes, hints, 'x.safetensors');
  };

  it('reads an image that is not square off a hint', () => {
    const model = tiny({ image: [4, 8] });
    const hints = { heads: 2, image: [4, 8] as const };
    expect(detectSpec(parameterShapes(model), hints, 'x')).toEqual(model);
  });

  it.each<[string, (shapes: Map<string, readonly number[]>) => void, Hints, string]>([
    [
      'a file without a patch embedding',
      (shapes) => shapes.delete('patch_embed.proj.weight'),
      { heads: 2 },
      'is not a ViT as timm or Hugging Face save it: it has neither patch_embed.proj.weight nor vit.embeddings.patch_embeddings.projection.weight; name a ViT or DeiT checkpoint',
    ],
    [
      'a flattened patch embedding',
      (shapes) => shapes.set('patch_embed.proj.weight', [12, 12]),
      { heads: 2 },
      'patch_embed.proj.weight must have 4 axes, found [12, 12]',
    ],
    [
      'patches that are not square',
      (shapes) => shapes.set('patch_embed.proj.weight', [12, 3, 2, 4]),
      { heads: 2 },
      'patches must be square, found 2x4',
    ],
    [
      'a model without blocks',
      (shapes) => {
        for (const name of [...shapes.keys()]) if (name.startsWith('blocks.')) shapes.delete(name);
      },
      { heads: 2 },
      'is not a ViT: it has no blocks.0.norm1.weight',
    ],
    [
      'unknown heads',
      () => undefined,
      {},
      'does not say how many attention heads it has, and there is no config.json beside it; copy it there, or give --heads N',
    ],
    [
      'positions that are no square grid',
      (shapes) => shapes.set('pos_embed', [1, 12, 12]),
      { heads: 2 },
      '12 positions with 1 prefix tokens are no square grid of patches',
    ],
    [
      'a hint that does not fit the positions',
      () => undefined,
      { heads: 2, image: [8, 8] },
      '10 positions with 1 prefix tokens do not fit an image of 8x8',
    ],
    [
      'a tensor of another shape',
      (shapes) => shapes.set('blocks.1.attn.proj.weight', [12, 13]),
      { heads: 2 },
      '1 of another shape (blocks.1.attn.proj.weight [12, 13], expected [12, 12]); get the whole file, or name a plain ViT or DeiT',
    ],
    [
      'a block that misses a tensor',
      (shapes) => shapes.delete('blocks.1.mlp.fc2.bias'),
      { heads: 2 },
      '1 tensor missing (blocks.1.mlp.fc2.bias); get the whole file, or name a plain ViT or DeiT',
    ],
    [
      'layer scale',
      (shapes) => shapes.set('blocks.0.ls1.gamma', [12]),
      { heads: 2 },
      'tensor blocks.0.ls1.gamma is of a ViT with layer scale, which this version cannot run; name a plain ViT or DeiT',
    ],
    [
      'query-key norm',
      (shapes) => shapes.set('blocks.0.attn.q_norm.weight', [6]),
      { heads: 2 },
      'tensor blocks.0.attn.q_norm.weight is of a ViT with query-key norm, which this version cannot run; name a plain ViT or DeiT',
    ],
    [
      'tensors of something else',
      (shapes) => shapes.set('decoder.weight', [6]),
      { heads: 2 },
      '1 unexpected (decoder.weight); get the whole file, or name a plain ViT or DeiT',
    ],
  ])('refuses %s', (_, change, hints, message) => {
    expect(detect(change, hints)).toThrow(ModelError);
    expect(detect(change, hints)).toThrow(message);
  });

  it('refuses heads that do not divide the width as what they are: wrongly given', () => {
    const refused = detect(() => undefined, { heads: 5 });
    expect(refused).toThrow(ConfigError);
    expect(refused).toThrow('width 12 is not divisible by heads 5: choose heads among 1, 2, 3, 4, 6, 12');
  });
});
