/**
 * Tensor names of Hugging Face's ViT and DeiT classifiers. Each part of a block has two names: the one that files have
 * always had, and the one that transformers 5 gives the module and may write.
 */
import { type Keys, pair, type Rule, tableKeys } from './keys.js';

/** Names that one file has chosen. */
export interface HuggingFaceNames {
  /** What the backbone's names begin with: `vit.`, `deit.`, or nothing for a backbone that was saved alone. */
  readonly base: string;
  /** Where block `{n}` is. */
  readonly block: string;
  readonly attention: 'attention.attention' | 'attention';
  readonly mlp: 'dense' | 'mlp';
  /** What the distillation token is for: a head of its own, or none (then it is a token as registers are). */
  readonly distillation: 'head' | 'token' | 'none';
}

/** The names that every version of transformers reads and, unless told otherwise, writes. */
export const CLASSIC = { block: 'encoder.layer.{n}', attention: 'attention.attention', mlp: 'dense' } as const;

const BASES = ['vit.', 'deit.', ''] as const;
const BLOCKS = [CLASSIC.block, 'layers.{n}', 'encoder.layers.{n}', 'layer.{n}'] as const;
const PATCH_WEIGHT = 'embeddings.patch_embeddings.projection.weight';
const DISTILLATION_TOKEN = 'embeddings.distillation_token';

/** The names that a file has chosen; undefined for a file that is not a Hugging Face ViT. */
export function chosenNames(has: (tensor: string) => boolean): HuggingFaceNames | undefined {
  const base = BASES.find((each) => has(each + PATCH_WEIGHT));
  if (base === undefined) return undefined;
  const first = (block: string) => `${base}${block.replace('{n}', '0')}`;
  const block = BLOCKS.find((each) => has(`${first(each)}.layernorm_before.weight`)) ?? CLASSIC.block;
  const withToken = has(base + DISTILLATION_TOKEN);
  return {
    base,
    block,
    attention: has(`${first(block)}.attention.q_proj.weight`) ? 'attention' : CLASSIC.attention,
    mlp: has(`${first(block)}.mlp.fc1.weight`) ? 'mlp' : CLASSIC.mlp,
    distillation: !withToken ? 'none' : has('classifier.weight') ? 'token' : 'head',
  };
}

/** Rules for those names. */
export function huggingFaceKeys({ base, block: path, attention, mlp, distillation }: HuggingFaceNames): Keys {
  const block = base + path;
  const qkv = attention === 'attention' ? ['q_proj', 'k_proj', 'v_proj'] : ['query', 'key', 'value'];
  const rules: Rule[] = [
    ['cls_token', `${base}embeddings.cls_token`],
    ['pos_embed', `${base}embeddings.position_embeddings`],
    ...pair('patch_embed.proj', `${base}embeddings.patch_embeddings.projection`),
    ...pair('blocks.{n}.norm1', `${block}.layernorm_before`),
    ...pair('blocks.{n}.attn.qkv', ...qkv.map((name) => `${block}.${attention}.${name}`)),
    ...pair('blocks.{n}.attn.proj', `${block}.attention.${attention === 'attention' ? 'o_proj' : 'output.dense'}`),
    ...pair('blocks.{n}.norm2', `${block}.layernorm_after`),
    ...pair('blocks.{n}.mlp.fc1', `${block}.${mlp === 'mlp' ? 'mlp.fc1' : 'intermediate.dense'}`),
    ...pair('blocks.{n}.mlp.fc2', `${block}.${mlp === 'mlp' ? 'mlp.fc2' : 'output.dense'}`),
    ...pair('norm', `${base}layernorm`),
    ...pair('head', distillation === 'head' ? 'cls_classifier' : 'classifier'),
  ];
  if (distillation === 'head') {
    rules.push(['dist_token', base + DISTILLATION_TOKEN], ...pair('head_dist', 'distillation_classifier'));
  }
  if (distillation === 'token') rules.push(['reg_token', base + DISTILLATION_TOKEN]);
  return tableKeys(rules);
}
