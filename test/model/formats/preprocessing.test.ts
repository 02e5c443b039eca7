/** How images are prepared, as config.json and preprocessor_config.json say it, and as flags change it. */
import { describe, expect, it } from 'vitest';
import { ConfigError, ModelError } from '#wave/base/errors.js';
import { readPreprocessorConfig } from '#wave/model/formats/preprocessor-config.js';
import { readTimmConfig } from '#wave/model/formats/timm-config.js';
import { loadModelSpec } from '#wave/model/load.js';
import { changedPreprocess, type PreprocessChanges } from '#wave/model/preprocess.js';
import type { Preprocess } from '#wave/model/spec.js';
import { interop } from './support.js';

const HALF = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

describe('files as the libraries write them', () => {
  it.each([
    ['timm-token', { ...HALF, resize: [17, 17], resize_mode: 'shortest', interpolation: 'bicubic' }],
    ['timm-oblong', { ...HALF, resize: [17, 8], resize_mode: 'shortest', interpolation: 'bicubic' }],
    ['hf-vit-classic', { ...HALF, resize: [16, 16], resize_mode: 'squash', interpolation: 'bilinear' }],
    ['hf-deit-refactored', { ...HALF, resize: [18, 18], resize_mode: 'squash', interpolation: 'bicubic' }],
    ['hf-oblong', undefined],
    ['timm-wrapper', undefined],
  ])('%s', async (name, wanted) => {
    const { spec, reading } = await loadModelSpec(interop(name));
    expect(spec.preprocess).toEqual(wanted);
    expect(reading.notes).toEqual([]);
  });

  it.each([
    ['hf-vit-classic', ['ant', 'bee', 'cat', 'dog', 'elk']],
    // Names that nobody chose are none.
    ['timm-wrapper', undefined],
    ['timm-token', undefined],
  ])('the classes of %s', async (name, wanted) => {
    expect((await loadModelSpec(interop(name))).spec.labels).toEqual(wanted);
  });
});

describe('preprocessor_config.json', () => {
  const model = { image: [224, 224] as const, channels: 3 };
  const read = (config: Record<string, unknown>) =>
    readPreprocessorConfig({ image_mean: 0.5, image_std: 0.5, resample: 3, ...config }, 'FILE', model);

  it.each([
    [{ size: 224 }, { resize: [224, 224], resize_mode: 'squash' }],
    [{ size: { height: 224, width: 224 } }, { resize: [224, 224], resize_mode: 'squash' }],
    [
      { size: 256, crop_size: 224 },
      { resize: [256, 256], resize_mode: 'squash' },
    ],
    [
      { size: { shortest_edge: 256 }, crop_size: { height: 224, width: 224 } },
      { resize: [256, 256], resize_mode: 'shortest' },
    ],
    [{ size: 224, do_resize: false }, {}],
  ])('%o', (config, wanted) => {
    expect(read(config)).toEqual({ preprocess: { ...HALF, interpolation: 'bicubic', ...wanted }, notes: [] });
  });

  it.each([
    [{ size: 384 }],
    [{ size: 256, crop_size: 192 }],
    [{ size: { shortest_edge: 224 } }],
    [{ size: 256, do_center_crop: true }],
  ])('%o does not lead to the input, and is left aside', (config) => {
    expect(read(config)).toEqual({
      preprocess: { ...HALF, interpolation: 'bicubic' },
      notes: ['FILE: its sizes do not lead to 224x224; left aside'],
    });
  });

  it.each([
    [{ resample: 0 }, 'nearest', 0],
    [{ resample: 1 }, 'lanczos', 0],
    [{ resample: 2 }, 'bilinear', 0],
    [{ resample: undefined, image_processor_type: 'ViTImageProcessor' }, 'bilinear', 0],
    [{ resample: undefined, feature_extractor_type: 'DeiTFeatureExtractor' }, 'bicubic', 0],
    [{ resample: 4 }, undefined, 1],
  ])('%o', (config, filter, notes) => {
    const { preprocess, notes: said } = read(config);
    expect([preprocess.interpolation, said.length]).toEqual([filter, notes]);
  });

  it.each([
    [{ size: 1_000_000 }, 'size is 1000000 pixels'],
    [{ size: { shortest_edge: 1_000_000 }, crop_size: 224 }, 'size is 1000000 pixels'],
    [{ size: { height: 224, width: 16_385 } }, 'size is 16385 pixels'],
    [{ size: 256, crop_size: { height: 20_000, width: 224 } }, 'crop_size is 20000 pixels'],
  ])('%o is refused', (config, found) => {
    expect(() => read(config)).toThrow(
      new ModelError(`FILE: ${found}, images may have at most 16384 a side; correct the file`),
    );
  });

  it('without normalisation', () => {
    const { preprocess } = read({ do_normalize: false, image_mean: undefined });
    expect(preprocess).toMatchObject({ mean: [0, 0, 0], std: [1, 1, 1] });
  });
});

describe("timm's crop_pct", () => {
  const read = (crop_pct: number) =>
    readTimmConfig({ architecture: 'x', pretrained_cfg: { ...HALF, input_size: [3, 224, 224], crop_pct } }, 'FILE');

  it.each([
    [0.0001, '2240000x2240000'],
    [225, '0x0'],
  ])('%d is refused', (crop, size) => {
    expect(() => read(crop)).toThrow(
      new ModelError(
        `FILE: pretrained_cfg.crop_pct ${crop} resizes images to ${size} pixels, 1 to 16384 a side are possible; ` +
          'correct the file',
      ),
    );
    expect(read(0.014).preprocess?.resize).toEqual([16_000, 16_000]);
  });
});

describe('changes', () => {
  const own: Preprocess = { ...HALF, resize: [256, 256], resize_mode: 'squash', interpolation: 'lanczos' };
  const change = (changes: PreprocessChanges, preprocess: Preprocess | undefined = own) =>
    changedPreprocess({ image: [224, 160], channels: 3, ...(preprocess && { preprocess }) }, changes);

  it.each([
    [{}, own],
    [{ mean: [0.1] }, { ...own, mean: [0.1, 0.1, 0.1] }],
    [{ std: [1, 2, 3] }, { ...own, std: [1, 2, 3] }],
    [{ cropPct: 0.875 }, { ...own, resize: [256, 182] }],
    [
      { interpolation: 'nearest', resizeMode: 'shortest' },
      { ...own, interpolation: 'nearest', resize_mode: 'shortest' },
    ],
  ] as const)('%o', (changes, wanted) => {
    expect(change(changes)).toEqual(wanted);
  });

  it('of nothing known', () => {
    const bare = (changes: PreprocessChanges) => changedPreprocess({ image: [224, 160], channels: 1 }, changes);
    expect(bare({})).toBeUndefined();
    expect(bare({ mean: [0.5], std: [0.25] })).toEqual({ mean: [0.5], std: [0.25] });
    expect(() => bare({ cropPct: 0.9 })).toThrow(
      new ConfigError(
        'the model does not say how its images were normalised; give --mean and --std beside the other flags',
      ),
    );
    expect(() => bare({ mean: [0.5] })).toThrow(/; give --std beside/);
  });

  it.each([
    [{ mean: [1, 2] }, '--mean: 2 values for a model of 3 channels; give one per channel, or one for all'],
    [{ std: [0.5, 0, 0.5] }, '--std: must be above 0, found 0.5,0,0.5'],
    [{ cropPct: 0 }, '--crop-pct: must be above 0 and at most 1, found 0'],
    [{ cropPct: 1.5 }, '--crop-pct: must be above 0 and at most 1, found 1.5'],
    [
      { cropPct: 1e-6 },
      '--crop-pct: 0.000001 of 224x160 resizes images to 224000000 pixels a side, at most 16384; raise it',
    ],
  ])('%o', (changes, message) => {
    expect(() => change(changes)).toThrow(new ConfigError(message));
  });
});
