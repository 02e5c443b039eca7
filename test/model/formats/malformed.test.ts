/** What can be wrong with a checkpoint of timm, and the one line that each gets. */
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, ModelError } from '#wave/base/errors.js';
import { CheckpointError, type MemoryTensor } from '#wave/checkpoint/index.js';
import { loadModel } from '#wave/model/load.js';
import { changeJson, changeTensors, copyOf, POINTER, refusal, temporary, zeros } from './support.js';

const root = temporary('malformed');
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;

describe('timm', () => {
  beforeEach(() => {
    folder = copyOf('timm-token', root);
  });
  const tensors = (change: (tensors: Map<string, MemoryTensor>) => void) => changeTensors(folder, change);
  const config = (fields: Record<string, unknown>) => changeJson(folder, 'config.json', fields);
  const args = (fields: Record<string, unknown>) => {
    const record = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    config({ model_args: { ...record.model_args, ...fields } });
  };

  it('heads that contradict config.json', async () => {
    expect(await refusal(folder, { heads: 4 })).toEqual([
      ConfigError,
      '/config.json says 3 heads, --heads says 4; leave --heads out',
    ]);
    expect((await refusal(folder, { heads: 4, headsFlag: '--ancestor-heads' }))[1]).toMatch(
      /leave --ancestor-heads out$/,
    );
  });

  it('heads that do not divide the width, by flag and by file', async () => {
    args({ num_heads: 5 });
    expect(await refusal(folder)).toEqual([
      ModelError,
      '/config.json says 5 heads, which do not divide the width 12; use the config.json that belongs to the checkpoint',
    ]);
    rmSync(join(folder, 'config.json'));
    expect(await refusal(folder, { heads: 5 })).toEqual([
      ConfigError,
      'model: width 12 is not divisible by heads 5: choose heads among 1, 2, 3, 4, 6, 12',
    ]);
    expect(await refusal(folder)).toEqual([
      ModelError,
      'does not say how many attention heads it has, and there is no config.json beside it; copy it there, or give --heads N',
    ]);
  });

  it("heads by the architecture's name, of a model that was made with another width", async () => {
    args({ num_heads: undefined });
    expect(await refusal(folder)).toEqual([
      ModelError,
      'does not say how many attention heads it has, nor does /config.json; give --heads N',
    ]);
    expect((await loadModel(folder, { heads: 3 })).reading.headsFrom).toBe('--heads');
  });

  it('a tensor that is missing', async () => {
    await tensors((all) => all.delete('blocks.1.mlp.fc2.bias'));
    expect(await refusal(folder)).toEqual([
      ModelError,
      'is not the ViT that its other tensors tell of: 1 tensor missing (blocks.1.mlp.fc2.bias); get the whole file, or name a plain ViT or DeiT',
    ]);
  });

  it('a block that is missing', async () => {
    await tensors((all) => {
      for (const name of all.keys()) if (name.startsWith('blocks.0.')) all.delete(name);
    });
    expect(await refusal(folder)).toEqual([
      ModelError,
      'tensor blocks.0.norm1.weight is missing, though there is block 1; get the whole file',
    ]);
  });

  it('a bias of queries, keys and values that is missing, unless it may be filled', async () => {
    await tensors((all) => all.delete('blocks.1.attn.qkv.bias'));
    expect(await refusal(folder)).toEqual([
      ModelError,
      'is not the ViT that its other tensors tell of: 1 tensor missing (blocks.1.attn.qkv.bias); if the model has no such biases, wave convert --fill-bias puts zeros there',
    ]);
    const { reading, values } = await loadModel(folder, { fillBias: true });
    expect(reading.filled).toEqual(['blocks.1.attn.qkv.bias']);
    expect(values.get('blocks.1.attn.qkv.bias')).toEqual(new Float32Array(36));
    expect(values.get('blocks.0.attn.qkv.bias')).not.toEqual(new Float32Array(36));
  });

  it('a tensor of another shape', async () => {
    await tensors((all) => all.set('blocks.1.norm2.weight', zeros(11)));
    expect(await refusal(folder)).toEqual([
      ModelError,
      'is not the ViT that its other tensors tell of: 1 of another shape (blocks.1.norm2.weight [11], expected [12]); get the whole file, or name a plain ViT or DeiT',
    ]);
    await tensors((all) => all.set('pos_embed', zeros(17, 12)));
    expect(await refusal(folder)).toEqual([
      ModelError,
      'pos_embed must have 3 axes, found [17, 12]; name a ViT or DeiT',
    ]);
  });

  it.each([
    ['blocks.0.ls1.gamma', 'of a ViT with layer scale'],
    ['blocks.0.attn.q_norm.weight', 'of a ViT with query-key norm'],
    ['norm_pre.weight', 'of a ViT with a norm before the blocks'],
    ['rope.freqs', 'of a ViT with rotary positions'],
    ['blocks.0.mlp.fc1_g.weight', 'of a ViT with a gated MLP'],
    ['blocks.0.attn.relative_position_bias_table', 'of a ViT with relative positions'],
    ['attn_pool.q.weight', 'of a ViT with attention pooling'],
  ])('%s', async (name, what) => {
    await tensors((all) => all.set(name, zeros(12)));
    expect(await refusal(folder)).toEqual([
      ModelError,
      `tensor ${name} is ${what}, which this version cannot run; name a plain ViT or DeiT`,
    ]);
  });

  it.each(['aux_head.weight', 'module.cls_token'])('%s', async (name) => {
    await tensors((all) => all.set(name, zeros(12)));
    expect(await refusal(folder)).toEqual([
      ModelError,
      `is not the ViT that its other tensors tell of: 1 unexpected (${name}); get the whole file, or name a plain ViT or DeiT`,
    ]);
  });

  it('many tensors: how many of each kind, and the first three', async () => {
    rmSync(join(folder, 'config.json'));
    await tensors((all) => {
      for (const name of [...all.keys()]) if (/^blocks\.1\.(norm2|mlp)/.test(name)) all.delete(name);
      all.set('extra', zeros(2)).set('head.weight', zeros(5, 13));
    });
    expect(await refusal(folder)).toEqual([
      ModelError,
      'is not the ViT that its other tensors tell of: 6 tensors missing (blocks.1.norm2.weight; blocks.1.norm2.bias; ' +
        'blocks.1.mlp.fc1.weight; ...), 1 unexpected (extra), 1 of another shape (head.weight [5, 13], expected [5, 12]); ' +
        'get the whole file, or name a plain ViT or DeiT',
    ]);
    await tensors((all) => all.set('blocks.0.ls1.gamma', zeros(12)));
    expect((await refusal(folder))[1]).toMatch(/^tensor blocks\.0\.ls1\.gamma is of a ViT with layer scale/);
  });

  it('a backbone without a classifier, and no ViT at all', async () => {
    await tensors((all) => ['head.weight', 'head.bias'].map((name) => all.delete(name)));
    expect(await refusal(folder)).toEqual([
      ModelError,
      'tensor head.weight is missing; a backbone without a classifier cannot be used: name a classifier',
    ]);
    await tensors((all) => all.delete('patch_embed.proj.weight'));
    expect(await refusal(folder)).toEqual([
      ModelError,
      'is not a ViT as timm or Hugging Face save it: it has neither patch_embed.proj.weight nor ' +
        'vit.embeddings.patch_embeddings.projection.weight; name a ViT or DeiT checkpoint',
    ]);
  });

  it.each([
    [{ embed_dim: 24 }, 'the tensors have width 12, /config.json says model_args.embed_dim 24'],
    [{ depth: 3 }, 'the tensors have depth 2, /config.json says model_args.depth 3'],
    [{ patch_size: 8 }, 'the tensors have patch 4, /config.json says model_args.patch_size 8'],
    [{ in_chans: 1 }, 'the tensors have channels 3, /config.json says model_args.in_chans 1'],
    [{ class_token: false }, 'the tensors have class_token true, /config.json says model_args.class_token false'],
    [{ reg_tokens: 4 }, 'the tensors have register_tokens 0, /config.json says model_args.reg_tokens 4'],
    [
      { no_embed_class: true },
      'the tensors have position_prefix true, /config.json says model_args.no_embed_class true, which is position_prefix false',
    ],
    [
      { fc_norm: true },
      'the tensors have final_norm norm, /config.json says model_args.fc_norm true, which is final_norm fc_norm',
    ],
    [{ mlp_ratio: 3 }, 'the tensors have hidden 24, /config.json says model_args.mlp_ratio 3, which is hidden 36'],
    [{ qkv_bias: false }, 'has tensor blocks.0.attn.qkv.bias, /config.json says qkv_bias false'],
    [{ num_classes: 10 }, 'the tensors have classes 5, /config.json says num_classes 10'],
  ])('config.json of another model: %o', async (fields, text) => {
    args(fields);
    expect(await refusal(folder)).toEqual([ModelError, `${text}; use the config.json that belongs to the checkpoint`]);
  });

  it('config.json of another image size, which --from-image overrules', async () => {
    args({ img_size: 32 });
    expect(await refusal(folder)).toEqual([
      ModelError,
      '17 positions with 1 prefix tokens do not fit the image of 32x32 that /config.json says, in patches of 4; use the ' +
        'config.json that belongs to the checkpoint, or convert it with wave convert --from-image HxW',
    ]);
    expect((await loadModel(folder, { image: [8, 32] })).spec.image).toEqual([8, 32]);
    expect(await refusal(folder, { image: [18, 16] })).toEqual([
      ModelError,
      '17 positions with 1 prefix tokens do not fit an image of 18x16 in patches of 4; give the size that the checkpoint ' +
        'was made for',
    ]);
  });

  it('config.json that is broken, a pointer, of nothing known, or a folder', async () => {
    const path = join(folder, 'config.json');
    const said = async (text: string) => {
      writeFileSync(path, text);
      return refusal(folder);
    };
    expect(await said('{"architecture": "vit_')).toEqual([
      ModelError,
      '/config.json: is not valid JSON; get the file again',
    ]);
    expect(await said('[1]')).toEqual([ModelError, '/config.json: must be a JSON object; get the file again']);
    expect(await said(POINTER)).toEqual([
      ModelError,
      '/config.json: is a Git LFS pointer, not the file; run `git lfs pull` in its repository',
    ]);
    expect(await said('{"name": "package"}')).toEqual([
      ModelError,
      '/config.json: has neither architecture (timm) nor model_type (Hugging Face); move the checkpoint to a folder of ' +
        'its own',
    ]);
    rmSync(path);
    mkdirSync(path);
    expect((await refusal(folder))[1]).toMatch(/^\/config\.json: cannot be read: is a folder/);
  });

  it('names and pixels that do not fit are left aside, with a note', async () => {
    config({ label_names: ['a', 'b'] });
    const { spec, reading } = await loadModel(folder);
    expect(spec.labels).toBeUndefined();
    expect(reading.notes).toEqual([`${folder}/config.json: names 2 classes of 5; left aside`]);
    config({
      label_names: { 0: 'a', 1: 'b', 2: 'c', 3: 'd', 4: 'e' },
      pretrained_cfg: { mean: [0.5], std: [0.1, 0.2] },
    });
    const other = await loadModel(folder);
    expect(other.spec.labels).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(other.spec.preprocess).toBeUndefined();
    expect(other.reading.notes).toEqual([
      `${folder}/config.json: mean and std are not those of images with 3 channels; left aside`,
    ]);
  });

  it('a pickle in place of the weights, and a folder of one', async () => {
    const pickle = Buffer.concat([Buffer.from([0x50, 0x4b, 0x03, 0x04]), Buffer.alloc(64)]);
    for (const name of ['pytorch_model.bin', 'model.pth']) {
      const path = join(folder, name);
      writeFileSync(path, pickle);
      expect(await refusal(path)).toEqual([
        CheckpointError,
        expect.stringMatching(/^is a zip archive, as PyTorch's .*save_file/),
      ]);
    }
    rmSync(join(folder, 'model.safetensors'));
    rmSync(join(folder, 'model.pth'));
    expect(await refusal(folder)).toEqual([
      CheckpointError,
      'the folder holds neither model.safetensors nor model.safetensors.index.json, only pytorch_model.bin, a PyTorch ' +
        'pickle that is not read; convert it where PyTorch is at hand: safetensors.torch.save_file(torch.load(FILE, ' +
        'weights_only=True), "model.safetensors"), with ["model"] or ["state_dict"] after torch.load(...) where the weights ' +
        'stand under such a key',
    ]);
  });

  it('a pointer in place of the weights, and weights that were cut off', async () => {
    const path = join(folder, 'model.safetensors');
    truncateSync(path, 4000);
    expect(await refusal(folder)).toEqual([CheckpointError, expect.stringMatching(/^\/model\.safetensors: /)]);
    writeFileSync(path, POINTER);
    expect(await refusal(folder)).toEqual([
      CheckpointError,
      expect.stringMatching(/^\/model\.safetensors: is a Git LFS pointer, not the weights; run `git lfs pull`/),
    ]);
  });
});
