/** The model against timm: names and shapes of tensors. That the logits are the same, test/engine/conformance shows. */
import { describe, expect, it } from 'vitest';
import { detectSpec, type Shapes } from '#wave/model/detect.js';
import { loadModel } from '#wave/model/load.js';
import { parameterShapes } from '#wave/model/parameters.js';
import * as pure from '../support/pure-weights.js';
import { fixture, jsonFixture } from './support.js';
import { small, TIMM_MODELS } from './timm-models.js';

const shapesByModel = jsonFixture<Record<string, Record<string, number[]>>>('timm-shapes.json');
const shapesOf = (name: string): Shapes => new Map(Object.entries(shapesByModel[name]));

describe.each(TIMM_MODELS)('%s', (name, model) => {
  it('has the tensors of the state dict', () => {
    expect(Object.fromEntries(parameterShapes(model))).toEqual(shapesByModel[name]);
  });

  it('is recognised by its shapes', () => {
    expect(detectSpec(shapesOf(name), { heads: 3 }, name)).toEqual(model);
  });
});

describe('a small timm checkpoint', () => {
  it('is opened with the values that its file holds, in the order of the parameters', async () => {
    const loaded = await loadModel(fixture('timm-small-distilled.safetensors'), { heads: 3 });
    expect(loaded.spec).toEqual(small({ distillation_token: true }));
    expect(loaded.format).toBe('timm');
    expect(loaded.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect([...loaded.values.keys()]).toEqual([...parameterShapes(loaded.spec).keys()]);
    expect(loaded.values).toEqual(pure.parameters(parameterShapes(loaded.spec)));
  });

  it('must be told how many heads it has', async () => {
    const file = fixture('timm-small-token.safetensors');
    await expect(loadModel(file)).rejects.toThrow(
      `${file}: does not say how many attention heads it has, and there is no config.json beside it; copy it there, or give --heads N`,
    );
  });
});
