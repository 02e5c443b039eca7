/** Checkpoints of timm and Hugging Face become models of this suite that need nothing beside them. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, DataError, InterruptedError, ModelError, WaveError } from '#wave/base/errors.js';
import { openSafetensors, readArtifactInfo, sha256File } from '#wave/checkpoint/index.js';
import { loadModel } from '#wave/model/load.js';
import { resizePositions } from '#wave/model/resize-positions.js';
import { type ConvertOptions, checkConvert, convert } from '#wave/stages/convert.js';
import { BARE, CASES, changeTensors, copyOf, interop, temporary } from '../model/formats/support.js';
import { context } from './support.js';

const root = temporary('convert');
afterAll(() => rmSync(root, { recursive: true }));
let path: string;
let count = 0;
beforeEach(() => {
  path = join(root, `out-${count++}.safetensors`);
});

const run = (options: ConvertOptions, force = false) => convert(options, { path, force }, context());
const converted = async (options: ConvertOptions, force = false) => {
  const result = await run(options, force);
  return { result, model: await loadModel(path) };
};

describe.each(CASES)('%s', (name) => {
  const heads = BARE.includes(name) ? 3 : undefined;

  it('is the same model, read without what lies beside it', async () => {
    const source = interop(name);
    const { result, model } = await converted({ source, heads });
    const foreign = await loadModel(source, { heads });
    expect(model.format).toBe('wave');
    expect(model.spec).toEqual(foreign.spec);
    expect(model.values).toEqual(foreign.values);
    expect(result).toMatchObject({
      path,
      source,
      format: foreign.format,
      heads: 3,
      width: 12,
      classes: 5,
      resized: null,
    });
  });

  it('is told before it is written', async () => {
    const plan = await checkConvert({ source: interop(name), heads }, { path, force: false });
    expect(existsSync(path)).toBe(false);
    const { seconds, ...result } = await run({ source: interop(name), heads });
    expect(plan).toEqual(result);
    expect(seconds).toBeGreaterThan(0);
  });
});

describe('the result', () => {
  it('says what was joined, ignored and filled', async () => {
    expect(await run({ source: interop('hf-no-qkv-bias') })).toMatchObject({
      format: 'huggingface',
      headsFrom: `${interop('hf-no-qkv-bias')}/config.json: num_attention_heads`,
      epsFrom: `${interop('hf-no-qkv-bias')}/config.json`,
      eps: 0.02,
      joined: 2,
      ignored: [],
      filled: ['blocks.0.attn.qkv.bias', 'blocks.1.attn.qkv.bias'],
      labels: 5,
    });
  });

  it('names the source as its parent, all shards of it', async () => {
    const source = interop('hf-sharded');
    await run({ source });
    const file = await openSafetensors(path);
    const lineage = readArtifactInfo(file)?.lineage;
    await file.close();
    const shards = readdirSync(source)
      .filter((name) => name.endsWith('.safetensors'))
      .sort();
    const sha256 = await sha256File(shards.map((name) => join(source, name)));
    expect(lineage).toMatchObject({ command: 'wave test', parents: [{ name: 'source', sha256 }], engine: 'host' });
  });

  it('is the same for the file, the folder and the index', async () => {
    const { model } = await converted({ source: interop('hf-sharded') });
    path = join(root, 'by-index.safetensors');
    const { model: other } = await converted({ source: join(interop('hf-sharded'), 'model.safetensors.index.json') });
    expect(other.values).toEqual(model.values);
    expect(other.spec).toEqual(model.spec);
  });
});

describe('options', () => {
  const bare = interop('timm-bare');

  it('say what a bare checkpoint does not', async () => {
    const folder = copyOf('hf-vit-classic', root);
    for (const name of ['config.json', 'preprocessor_config.json']) rmSync(join(folder, name));
    const { result, model } = await converted({ source: folder, heads: 3, eps: 0.02 });
    expect(result).toMatchObject({ headsFrom: '--heads', epsFrom: '--eps', preprocess: null, labels: 0 });
    expect(model.spec).toMatchObject({ heads: 3, eps: 0.02 });
  });

  it.each([
    ['timm', [16, 24]],
    ['huggingface', [8, 8]],
  ] as const)('resize positions as %s', async (positionFilter, image) => {
    const { result, model } = await converted({ source: interop('timm-token'), image, positionFilter });
    const foreign = await loadModel(interop('timm-token'));
    expect(model.values).toEqual(resizePositions(foreign, image, positionFilter).values);
    expect(result.resized).toEqual({ from: [4, 4], to: [image[0] / 4, image[1] / 4], filter: positionFilter });
    expect(model.spec.image).toEqual(image);
    const timm = resizePositions(foreign, image, 'timm').values.get('pos_embed');
    expect(positionFilter === 'timm').toBe(timm?.join() === model.values.get('pos_embed')?.join());
  });

  it('leave positions alone where the size is the same', async () => {
    expect((await run({ source: interop('timm-token'), image: [16, 16] })).resized).toBeNull();
  });

  it('say which image positions that are no square were made for', async () => {
    const folder = copyOf('hf-oblong', root);
    rmSync(join(folder, 'config.json'));
    await expect(run({ source: folder, heads: 3, eps: 0.02 })).rejects.toThrow(
      `${folder}: 9 positions with 1 prefix tokens are no square grid of patches; put its config.json beside it, or convert ` +
        'it with wave convert --from-image HxW',
    );
    const { model } = await converted({ source: folder, heads: 3, eps: 0.02, fromImage: [16, 8] });
    expect(model.spec.image).toEqual([16, 8]);
    expect(model.values).toEqual((await loadModel(interop('hf-oblong'))).values);
  });

  it('decide between a square whose prefix tokens have no positions, and no square', async () => {
    // 4x2 patches and a class token have as many positions as 3x3 patches.
    const folder = copyOf('timm-oblong', root);
    rmSync(join(folder, 'config.json'));
    expect((await run({ source: folder, heads: 3 })).notes).toEqual([
      'a square image of 12x12 and prefix tokens without positions are assumed',
    ]);
    const { result, model } = await converted({ source: folder, heads: 3, fromImage: [16, 8] }, true);
    expect(result.notes).toEqual([]);
    expect(model.spec).toEqual({ ...(await loadModel(interop('timm-oblong'))).spec, preprocess: undefined });
  });

  it('fill biases that are not there', async () => {
    const folder = copyOf('hf-vit-classic', root);
    await changeTensors(folder, (all) => all.delete('vit.encoder.layer.0.attention.attention.key.bias'));
    await expect(run({ source: folder })).rejects.toThrow(/wave convert --fill-bias puts zeros there$/);
    expect((await run({ source: folder, fillBias: true })).filled).toEqual(['blocks.0.attn.qkv.bias']);
  });

  it('name classes, with a byte order mark and the line ends of Windows', async () => {
    const labels = join(root, 'labels.txt');
    writeFileSync(labels, '\uFEFFone\r\ntwo words\r\nthree\r\nfour\r\nfünf\r\n');
    const { result, model } = await converted({ source: bare, heads: 3, labels });
    expect(model.spec.labels).toEqual(['one', 'two words', 'three', 'four', 'fünf']);
    expect(result.labels).toBe(5);
    writeFileSync(labels, 'one\ntwo\n');
    await expect(run({ source: bare, heads: 3, labels }, true)).rejects.toThrow(
      new ConfigError(`${labels}: names 2 classes, the model has 5; name one on each line`),
    );
    writeFileSync(labels, 'one\n\nthree\nfour\nfive\n');
    await expect(run({ source: bare, heads: 3, labels }, true)).rejects.toThrow(
      new ConfigError(`${labels}: line 2 is empty; name one class on each line`),
    );
    await expect(run({ source: bare, heads: 3, labels: join(root, 'none') }, true)).rejects.toBeInstanceOf(DataError);
  });

  it('say how images are prepared, for the size that is written', async () => {
    const preprocess = {
      mean: [0.5],
      std: [0.25],
      cropPct: 0.9,
      interpolation: 'lanczos',
      resizeMode: 'squash',
    } as const;
    const { model } = await converted({ source: bare, heads: 3, image: [32, 24], preprocess });
    expect(model.spec.preprocess).toEqual({
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
      resize: [35, 26],
      resize_mode: 'squash',
      interpolation: 'lanczos',
    });
  });

  it('change a model of this suite', async () => {
    await run({ source: interop('timm-token') });
    const source = path;
    path = join(root, 'changed.safetensors');
    const { result, model } = await converted({ source, image: [8, 8], preprocess: { mean: [0.1] } });
    expect(result).toMatchObject({ format: 'wave', headsFrom: 'stored in the model', resized: { to: [2, 2] } });
    expect(model.spec.preprocess).toMatchObject({ mean: [0.1, 0.1, 0.1], std: [0.5, 0.5, 0.5], resize: [9, 9] });
    for (const [options, message] of [
      [{ heads: 2 }, `${source}: has 3 heads, --heads says 2; leave --heads out`],
      [{ eps: 1 }, `${source}: has epsilon 0.000001, --eps says 1; leave --eps out`],
      [{ fromImage: [8, 32] }, `${source}: has images of 16x16, --from-image says 8x32; leave --from-image out`],
    ] as const) {
      await expect(run({ source, ...options }, true)).rejects.toThrow(new ConfigError(message));
    }
  });

  it.each([
    [
      { image: [18, 16] },
      '--image: 18x16 is not divisible by the patches of 4 that the model has; choose multiples of 4',
    ],
    [{ image: [20_000, 16] }, '--image: 20000x16 is too large, at most 16384 pixels a side'],
    [{ positionFilter: 'timm' }, '--position-filter: is for positions that are resized; leave it out, or give --image'],
    [{ eps: 0 }, '--eps: must be above 0, found 0'],
    [
      { preprocess: { mean: [1, 2] } },
      '--mean: 2 values for a model of 3 channels; give one per channel, or one for all',
    ],
  ] as const)('%o', async (options, message) => {
    await expect(run({ source: interop('timm-token'), ...options })).rejects.toThrow(new ConfigError(message));
    expect(existsSync(path)).toBe(false);
  });
});

describe('files that are read', () => {
  it.each(['model.safetensors', 'config.json', 'preprocessor_config.json'])('%s is not replaced', async (name) => {
    const source = copyOf('hf-vit-classic', root);
    path = join(source, name);
    const before = readFileSync(path);
    for (const from of [source, join(source, 'model.safetensors')]) {
      await expect(run({ source: from }, true)).rejects.toThrow(`${path}: is read by this command; name another file`);
    }
    expect(readFileSync(path)).toEqual(before);
  });

  it.each(['model.safetensors.index.json', 'model-00001-of-00002.safetensors'])('%s is not replaced', async (name) => {
    const source = copyOf('hf-sharded', root);
    path = join(source, name);
    await expect(run({ source }, true)).rejects.toThrow(/is read by this command/);
  });

  it('labels are not replaced, nor what is there without force', async () => {
    path = join(root, 'names.txt');
    writeFileSync(path, 'a');
    await expect(run({ source: interop('timm-token'), labels: path }, true)).rejects.toThrow(/is read by this command/);
    await expect(run({ source: interop('timm-token') })).rejects.toThrow(/is already there; --force replaces it/);
  });

  it('nothing is written of what is refused, or when the user interrupts', async () => {
    const folder = copyOf('timm-token', root);
    await changeTensors(folder, (all) => all.delete('head.bias'));
    await expect(run({ source: folder })).rejects.toBeInstanceOf(ModelError);
    const controller = new AbortController();
    controller.abort();
    const stopped = { ...context(), signal: controller.signal };
    await expect(convert({ source: interop('timm-token') }, { path, force: false }, stopped)).rejects.toBeInstanceOf(
      InterruptedError,
    );
    await expect(run({ source: join(root, 'nowhere') })).rejects.toBeInstanceOf(WaveError);
    expect(existsSync(path)).toBe(false);
  });
});
