/** What can be wrong with a checkpoint of Hugging Face, its shards or its path, and the one line that each gets. */
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, ModelError } from '#wave/base/errors.js';
import { CheckpointError, type MemoryTensor } from '#wave/checkpoint/index.js';
import { loadModel } from '#wave/model/load.js';
import { changeJson, changeTensors, copyOf, POINTER, refusal, temporary, zeros } from './support.js';

const root = temporary('malformed');
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;

describe('Hugging Face', () => {
  beforeEach(() => {
    folder = copyOf('hf-vit-classic', root);
  });
  const tensors = (change: (tensors: Map<string, MemoryTensor>) => void) => changeTensors(folder, change);
  const config = (fields: Record<string, unknown>) => changeJson(folder, 'config.json', fields);
  const KEY = 'vit.encoder.layer.1.attention.attention.key.bias';

  it('no config.json: neither heads nor epsilon are known', async () => {
    rmSync(join(folder, 'config.json'));
    expect(await refusal(folder)).toEqual([
      ModelError,
      'does not say how many attention heads it has, and there is no config.json beside it; copy it there, or give --heads N',
    ]);
    expect(await refusal(folder, { heads: 3 })).toEqual([
      ModelError,
      'does not say the epsilon of its layer norms, and there is no config.json beside it; copy it there, or give the ' +
        'epsilon to wave convert, --eps NUMBER',
    ]);
    const { spec, reading } = await loadModel(folder, { heads: 3, eps: 0.02 });
    expect(spec).toMatchObject({ heads: 3, eps: 0.02 });
    expect(reading).toMatchObject({ headsFrom: '--heads', epsFrom: '--eps' });
  });

  it('an epsilon that contradicts config.json', async () => {
    expect(await refusal(folder, { eps: 1e-6 })).toEqual([
      ConfigError,
      '/config.json says 0.02 as epsilon, --eps says 0.000001; leave --eps out',
    ]);
  });

  it('a third of a bias that is missing, unless it may be filled', async () => {
    await tensors((all) => all.delete(KEY));
    expect(await refusal(folder)).toEqual([
      ModelError,
      `is not the ViT that its other tensors tell of: 1 tensor missing (${KEY}); if the model has no such biases, wave convert --fill-bias puts zeros there`,
    ]);
    const { reading, values } = await loadModel(folder, { fillBias: true });
    expect(reading.filled).toEqual(['blocks.1.attn.qkv.bias']);
    const bias = values.get('blocks.1.attn.qkv.bias') as Float32Array;
    expect(bias.length).toBe(36);
    expect(bias.slice(12, 24)).toEqual(new Float32Array(12));
    expect([...bias.slice(0, 12), ...bias.slice(24)].every((value) => value !== 0)).toBe(true);
  });

  it('a third of a weight that is missing is never filled', async () => {
    const name = 'vit.encoder.layer.0.attention.attention.value.weight';
    await tensors((all) => all.delete(name));
    expect(await refusal(folder, { fillBias: true })).toEqual([
      ModelError,
      `is not the ViT that its other tensors tell of: 1 tensor missing (${name}); get the whole file, or name a plain ViT or DeiT`,
    ]);
  });

  it('parts that do not fit each other', async () => {
    await tensors((all) => all.set(KEY, zeros(6)));
    expect(await refusal(folder)).toEqual([
      ModelError,
      `${KEY} must be [12] as "vit.encoder.layer.1.attention.attention.query.bias" is, found [6]; ` +
        'blocks.1.attn.qkv.bias cannot be made of them',
    ]);
  });

  it('a backbone: with its prefix and without', async () => {
    const backbone =
      'tensor classifier.weight is missing; a backbone without a classifier cannot be used: name a classifier';
    await tensors((all) => ['classifier.weight', 'classifier.bias'].map((name) => all.delete(name)));
    expect(await refusal(folder)).toEqual([ModelError, backbone]);
    await tensors((all) => {
      for (const [name, tensor] of [...all]) {
        all.delete(name);
        all.set(name.replace('vit.', ''), tensor);
      }
    });
    expect(await refusal(folder)).toEqual([ModelError, backbone]);
  });

  it('what a backbone has besides is ignored', async () => {
    const names = ['vit.pooler.dense.weight', 'vit.pooler.dense.bias', 'vit.embeddings.mask_token'];
    await tensors((all) => {
      for (const name of names) all.set(name, zeros(12));
    });
    expect((await loadModel(folder)).reading.ignored.toSorted()).toEqual(names.toSorted());
  });

  it.each([
    [{ hidden_size: 24 }, 'the tensors have width 12, /config.json says hidden_size 24'],
    [{ num_hidden_layers: 12 }, 'the tensors have depth 2, /config.json says num_hidden_layers 12'],
    [{ intermediate_size: 48 }, 'the tensors have hidden 24, /config.json says intermediate_size 48'],
    [{ patch_size: [8, 8] }, 'the tensors have patch 4, /config.json says patch_size 8'],
    [{ num_channels: 1 }, 'the tensors have channels 3, /config.json says num_channels 1'],
    [{ id2label: { 0: 'a', 1: 'b' } }, 'the tensors have classes 5, /config.json says classes in id2label 2'],
  ])('config.json of another model: %o', async (fields, text) => {
    config(fields);
    expect(await refusal(folder)).toEqual([ModelError, `${text}; use the config.json that belongs to the checkpoint`]);
  });

  it.each([
    [
      { model_type: 'swin' },
      'model_type is "swin", which this version cannot run; known: vit, deit; name a ViT or DeiT',
    ],
    [
      { hidden_act: 'quick_gelu' },
      'hidden_act is "quick_gelu", which this version cannot run; known: gelu; name a model that was trained with it',
    ],
    [{ id2label: { 1: 'a', 2: 'b' } }, 'id2label has 2 classes and no 0; number them from 0 without a gap'],
  ])('config.json with %o', async (fields, text) => {
    config(fields);
    expect(await refusal(folder)).toEqual([ModelError, `/config.json: ${text}`]);
  });

  it('heads and epsilon that config.json leaves out are those of transformers, and said to be', async () => {
    config({ num_attention_heads: undefined, layer_norm_eps: undefined });
    const { spec, reading } = await loadModel(folder);
    const from = "transformers' default; config.json does not say";
    expect([spec.heads, spec.eps, reading.headsFrom, reading.epsFrom]).toEqual([12, 1e-12, from, from]);
    const given = await loadModel(folder, { heads: 3, eps: 0.02 });
    expect(given.spec).toMatchObject({ heads: 3, eps: 0.02 });
    expect(given.reading).toMatchObject({ headsFrom: '--heads', epsFrom: '--eps' });
  });

  it('an epsilon that no norm has', async () => {
    config({ layer_norm_eps: 1 });
    expect((await refusal(folder))[1]).toMatch(/^\/config\.json: layer_norm_eps: .*<1; correct the file$/);
  });

  it.each([
    [{ do_rescale: false }, 'pixel values must be divided by 255 (rescale_factor 1/255), found do_rescale false'],
    [{ rescale_factor: 0.5 }, 'pixel values must be divided by 255 (rescale_factor 1/255), found rescale_factor 0.5'],
    [{ image_mean: [0.5, 0.5] }, 'image_mean has 2 values, the model 3 channels; correct the file'],
    [{ image_std: undefined }, 'image_std is missing; add it, or set do_normalize to false'],
  ])('preprocessor_config.json with %o', async (fields, text) => {
    changeJson(folder, 'preprocessor_config.json', fields);
    expect(await refusal(folder)).toEqual([ModelError, `/preprocessor_config.json: ${text}`]);
  });
});

describe('shards', () => {
  const INDEX = 'model.safetensors.index.json';
  const SHARD = 'model-00002-of-00002.safetensors';
  beforeEach(() => {
    folder = copyOf('hf-sharded', root);
  });

  it('one that is missing', async () => {
    renameSync(join(folder, SHARD), join(folder, 'elsewhere'));
    expect(await refusal(folder)).toEqual([
      CheckpointError,
      `/${INDEX}: the shard "${SHARD}" is missing; copy it into the folder of the index`,
    ]);
  });

  it('one that was cut off, and one that is a pointer', async () => {
    truncateSync(join(folder, SHARD), 1500);
    expect(await refusal(folder)).toEqual([CheckpointError, expect.stringContaining(`/${SHARD}: `)]);
    writeFileSync(join(folder, SHARD), POINTER);
    expect(await refusal(folder)).toEqual([
      CheckpointError,
      expect.stringContaining(`/${SHARD}: is a Git LFS pointer`),
    ]);
  });

  it.each(['../model.safetensors', '/etc/model.safetensors', 'a/../../b.safetensors', 'model.bin'])(
    'an index that names %s',
    async (shard) => {
      const path = join(folder, INDEX);
      const index = JSON.parse(readFileSync(path, 'utf8'));
      const [first] = Object.keys(index.weight_map);
      changeJson(folder, INDEX, { weight_map: { ...index.weight_map, [String(first)]: shard } });
      expect(await refusal(folder)).toEqual([
        CheckpointError,
        `/${INDEX}: the index names the shard "${shard}"; a shard must be a .safetensors file in the folder of its index`,
      ]);
    },
  );
});

describe('a path that is not there', () => {
  /** The message without the path that it begins with. */
  const missing = async (path: string): Promise<[unknown, string]> => {
    const error: unknown = await loadModel(path).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CheckpointError);
    const { message } = error as CheckpointError;
    expect(message.startsWith(`${path}: `)).toBe(true);
    return [CheckpointError, message.slice(path.length + 2)];
  };

  it('and reads like a name on the Hub', async () => {
    const advice = (name: string) =>
      'cannot be read: no such file or folder; if it is a model of the Hugging Face Hub, download it first: ' +
      `hf download ${name} --local-dir ${name.split('/')[1]}`;
    for (const name of ['google/vit-base-patch16-224', 'timm/deit_tiny_patch16_224.fb_in1k']) {
      expect(await missing(name)).toEqual([CheckpointError, advice(name)]);
    }
    expect((await missing('hf-hub:timm/vit_x'))[1]).toBe(advice('timm/vit_x'));
  });

  it.each(['google/vit/model', './google/vit', 'google/vit.safetensors', 'google', 'test/vit', 'google/config.json'])(
    'and does not: %s',
    async (path) => {
      expect(await missing(path)).toEqual([CheckpointError, 'cannot be read: no such file or folder; check the path']);
    },
  );
});
