/** config.json of timm that asks for what this version cannot run, and the one line that each gets. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ModelError } from '#wave/base/errors.js';
import { loadModel } from '#wave/model/load.js';
import { changeJson, copyOf, refusal, temporary } from './support.js';

const root = temporary('malformed');
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;

describe('timm', () => {
  beforeEach(() => {
    folder = copyOf('timm-token', root);
  });
  const config = (fields: Record<string, unknown>) => changeJson(folder, 'config.json', fields);
  const args = (fields: Record<string, unknown>) => {
    const record = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    config({ model_args: { ...record.model_args, ...fields } });
  };

  it.each([
    [
      { architecture: 'vit_base_patch16_clip_quickgelu_224' },
      /^\/config\.json: architecture is "vit_base_patch16_clip_quickgelu_224"/,
    ],
    [{ architecture: 'vit_so400m_patch16_siglip_gap_256' }, /^\/config\.json: architecture is "vit_so400m/],
    [
      { global_pool: 'map', model_args: {} },
      /^\/config\.json: global_pool is "map".*known: token, avg; name a checkpoint of that kind$/,
    ],
    [
      { model_args: { act_layer: 'quick_gelu' } },
      /^\/config\.json: model_args\.act_layer is "quick_gelu".*known: gelu; name a checkpoint of that kind$/,
    ],
    [{ model_args: { pool_include_prefix: true } }, /^\/config\.json: model_args\.pool_include_prefix is "true"/],
    [{ model_args: { num_heads: 'three' } }, /^\/config\.json: model_args\.num_heads: .*; correct the file$/],
    [
      { architecture: 3, model_type: 'clip' },
      /^\/config\.json: model_type is "clip".*known: vit, deit; name a ViT or DeiT$/,
    ],
  ])('config.json with %o', async (fields, text) => {
    config(fields);
    expect(await refusal(folder)).toEqual([ModelError, expect.stringMatching(text)]);
  });

  it.each([
    ['block_fn', 'ResPostBlock'],
    ['attn_layer', 'diff'],
    ['mlp_layer', 'SwiGLU'],
    ['norm_layer', 'rmsnorm'],
    ['embed_norm_layer', 'layernorm'],
    ['act_layer', 'gelu_tanh'],
    ['pos_embed', 'none'],
    ['init_values', 0.00001],
    ['qk_norm', true],
    ['pre_norm', true],
    ['scale_attn_norm', true],
    ['scale_mlp_norm', true],
    ['final_norm', false],
    ['proj_bias', false],
  ])('model_args.%s %o, which is no plain ViT', async (name, value) => {
    args({ [name]: value });
    const [type, text] = await refusal(folder);
    expect(type).toBe(ModelError);
    expect(
      text.startsWith(`/config.json: model_args.${name} is "${value === 0.00001 ? '0.00001' : value}", which`),
    ).toBe(true);
    expect(text).toMatch(/; name a checkpoint of that kind$/);
  });

  it('model_args that say what a plain ViT is', async () => {
    args({
      ...{ class_token: true, reg_tokens: 0, no_embed_class: false, fc_norm: null, mlp_ratio: 2, qkv_bias: true },
      ...{ block_fn: 'Block', norm_layer: 'LayerNorm', act_layer: 'gelu', mlp_layer: null, attn_layer: '' },
      ...{ init_values: null, qk_norm: false, pre_norm: false, final_norm: true, dynamic_img_size: true },
    });
    expect((await loadModel(folder)).spec.heads).toBe(3);
  });

  it.each(['vit_base_patch16_rpn_224', 'resnet50', 'eva02_tiny_patch14_224'])('architecture %s', async (name) => {
    config({ architecture: name });
    expect(await refusal(folder)).toEqual([
      ModelError,
      `/config.json: architecture is "${name}", which this version cannot run; known: plain ViTs and DeiTs of timm; name a ` +
        'checkpoint of that kind',
    ]);
  });

  it('names of classes whose numbers have a gap', async () => {
    config({ label_names: { 0: 'a', 1: 'b', 2: 'c', 3: 'd', 10: 'e' } });
    expect(await refusal(folder)).toEqual([
      ModelError,
      '/config.json: label_names has 5 classes and no 4; number them from 0 without a gap',
    ]);
    config({ label_names: { 4: 'e', 1: 'b', 0: 'a', 2: 'c', 3: 'd' } });
    expect((await loadModel(folder)).spec.labels).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('config.json of the other library', async () => {
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'vit', num_attention_heads: 3 }));
    expect(await refusal(folder)).toEqual([
      ModelError,
      'the tensors have the names of timm, /config.json is one of Hugging Face; use the config.json that belongs to the ' +
        'checkpoint',
    ]);
  });
});
