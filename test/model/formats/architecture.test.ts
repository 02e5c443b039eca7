/** config.json as the Hub has it for timm's own models: the heads stand in the name alone. */
import { describe, expect, it } from 'vitest';
import { detect } from '#wave/model/detect.js';
import { headsByName, refusedArchitecture } from '#wave/model/formats/timm-architecture.js';
import { readTimmConfig } from '#wave/model/formats/timm-config.js';
import { jsonFixture } from '../support.js';

const shapesByModel = jsonFixture<Record<string, Record<string, number[]>>>('timm-shapes.json');
const shapes = new Map(Object.entries(shapesByModel.deit_tiny_patch16_224));
const pretrained = {
  input_size: [3, 224, 224],
  interpolation: 'bicubic',
  crop_pct: 0.9,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};
const facts = (architecture: string) =>
  readTimmConfig({ architecture, num_classes: 1000, global_pool: 'token', pretrained_cfg: pretrained }, 'config.json');

describe('heads by the name of an architecture', () => {
  it.each(['deit_tiny_patch16_224', 'vit_tiny_patch16_224', 'deit_tiny_patch16_224.fb_in1k'])('%s', (name) => {
    const { spec, headsFrom, notes } = detect(shapes, {}, 'deit', facts(name));
    expect(spec).toMatchObject({ heads: 3, eps: 1e-6, image: [224, 224], pool: 'token' });
    expect(spec.preprocess).toMatchObject({ resize: [248, 248], resize_mode: 'shortest', interpolation: 'bicubic' });
    expect([headsFrom, notes]).toEqual([`config.json: architecture ${name}`, []]);
  });

  it.each(['vit_small_patch16_224', 'vit_betwixt_patch16_224', 'vit_tiny_patch16_gap_224'])('not %s', (name) => {
    expect(() => detect(shapes, {}, 'deit', facts(name))).toThrow(
      'deit: does not say how many attention heads it has, nor does config.json; give --heads N',
    );
    expect(detect(shapes, { heads: 3 }, 'deit', facts(name)).headsFrom).toBe('--heads');
  });

  it.each([
    ['vit_base_patch16_siglip_gap_256', true],
    ['vit_base_patch32_siglip_gap_256', false],
    ['vit_large_patch16_siglip_gap_384', true],
    ['vit_large_patch16_siglip_gap_512', false],
    ['vit_so400m_patch14_siglip_gap_224', true],
    ['vit_so400m_patch16_siglip_gap_256', false],
  ])('%s has the exact GELU: %s', (name, exact) => {
    const read = () => facts(name);
    if (exact) expect(read).not.toThrow();
    else
      expect(read).toThrow(
        /^config\.json: architecture is .*models with the exact GELU; name a checkpoint of that kind$/,
      );
  });

  it('is overruled by --heads, unlike model_args', () => {
    expect(detect(shapes, { heads: 6 }, 'deit', facts('deit_tiny_patch16_224')).spec.heads).toBe(6);
  });
});

interface Built {
  readonly heads: number | null;
  readonly width: number | null;
  /** What makes it another model than a plain ViT: names of tensors show it, or do not. */
  readonly shown: readonly string[];
  readonly hidden: readonly string[];
}

describe('all architectures of timm', () => {
  const built = Object.entries(jsonFixture<Record<string, Built>>('timm-architectures.json'));
  const plain = built.filter(([, { shown, hidden }]) => shown.length + hidden.length === 0);

  it('that are other models are refused by name, unless their tensors show it', () => {
    const other = built.filter(([, { shown, hidden }]) => shown.length === 0 && hidden.length > 0);
    expect(other.length).toBeGreaterThan(50);
    expect(other.filter(([name]) => refusedArchitecture(name) === undefined)).toEqual([]);
  });

  it('that are plain are known, but for those that have no classes', () => {
    expect(plain.length).toBeGreaterThan(50);
    const refused = plain.filter(([name]) => refusedArchitecture(name) !== undefined).map(([name]) => name);
    expect(refused.filter((name) => !name.includes('radio'))).toEqual([]);
  });

  it('have the heads and width that their names say, and plain ones say them', () => {
    const known = plain.filter(([name]) => refusedArchitecture(name) === undefined);
    expect(known.map(([name]) => [name, headsByName(name)])).toEqual(
      known.map(([name, { heads, width }]) => [name, { heads, width }]),
    );
    const wrong = built.filter(([name, { heads, width }]) => {
      const said = headsByName(name);
      return said && (said.heads !== heads || said.width !== width);
    });
    expect(wrong).toEqual([]);
  });
});
