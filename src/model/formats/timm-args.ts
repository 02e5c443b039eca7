/** timm's `model_args`: the arguments of its VisionTransformer that decide what a model computes. */
import { z } from 'zod';
import { type StatedSize, statedSizes } from './facts.js';
import { sides } from './json-file.js';

const count = z.int().positive();
const anything = z.unknown().optional();

export const argsSchema = z.object({
  img_size: sides.nullish(),
  patch_size: sides.nullish(),
  in_chans: count.optional(),
  num_classes: z.int().min(0).optional(),
  embed_dim: count.optional(),
  depth: count.optional(),
  num_heads: count.optional(),
  mlp_ratio: z.number().positive().optional(),
  global_pool: z.string().optional(),
  class_token: z.boolean().optional(),
  reg_tokens: z.int().min(0).optional(),
  no_embed_class: z.boolean().optional(),
  fc_norm: z.boolean().nullish(),
  qkv_bias: z.boolean().optional(),
  act_layer: anything,
  attn_layer: anything,
  block_fn: anything,
  embed_layer: anything,
  embed_norm_layer: anything,
  final_norm: anything,
  init_values: anything,
  mlp_layer: anything,
  norm_layer: anything,
  pool_include_prefix: anything,
  pos_embed: anything,
  pre_norm: anything,
  proj_bias: anything,
  qk_norm: anything,
  scale_attn_norm: anything,
  scale_mlp_norm: anything,
});
/** `model_args`, checked. */
export type TimmArgs = z.output<typeof argsSchema>;

/** What a plain ViT has; null and absent are the same to timm. Classes go by their names, in any case of letters. */
const PLAIN: readonly (readonly [keyof TimmArgs, plain: string | boolean | null])[] = [
  ['act_layer', 'gelu'],
  ['attn_layer', 'attention'],
  ['block_fn', 'block'],
  ['embed_layer', 'patchembed'],
  ['embed_norm_layer', null],
  ['final_norm', true],
  ['init_values', null],
  ['mlp_layer', 'mlp'],
  ['norm_layer', 'layernorm'],
  ['pool_include_prefix', false],
  ['pos_embed', 'learn'],
  ['pre_norm', false],
  ['proj_bias', true],
  ['qk_norm', false],
  ['scale_attn_norm', false],
  ['scale_mlp_norm', false],
];

/** The first argument that asks for something else than a plain ViT. */
export function otherThanPlain(args: TimmArgs): { name: string; value: unknown; plain: string } | undefined {
  for (const [name, plain] of PLAIN) {
    const value = args[name];
    // An empty name of a layer is none to timm.
    if (value === undefined || value === null || (value === '' && typeof plain === 'string')) continue;
    if ((typeof value === 'string' ? value.toLowerCase() : value) === plain) continue;
    return { name, value, plain: String(plain) };
  }
  return undefined;
}

/** Sizes that the tensors tell, too. */
export function sizesOfArgs(args: TimmArgs): StatedSize[] {
  const { no_embed_class: unplaced, fc_norm, mlp_ratio } = args;
  return [
    ...statedSizes([
      ['model_args.embed_dim', 'width', args.embed_dim],
      ['model_args.depth', 'depth', args.depth],
      ['model_args.patch_size', 'patch', args.patch_size?.[0]],
      ['model_args.in_chans', 'channels', args.in_chans],
      ['model_args.class_token', 'class_token', args.class_token],
      ['model_args.reg_tokens', 'register_tokens', args.reg_tokens],
    ]),
    ...(mlp_ratio === undefined
      ? []
      : [
          {
            name: `model_args.mlp_ratio ${mlp_ratio}, which is hidden`,
            key: 'hidden' as const,
            value: mlp_ratio,
            times: 'width' as const,
          },
        ]),
    ...(typeof fc_norm !== 'boolean'
      ? []
      : [
          {
            name: `model_args.fc_norm ${fc_norm}, which is final_norm`,
            key: 'final_norm' as const,
            value: fc_norm ? 'fc_norm' : 'norm',
          },
        ]),
    ...(unplaced === undefined
      ? []
      : [
          {
            name: `model_args.no_embed_class ${unplaced}, which is position_prefix`,
            key: 'position_prefix' as const,
            value: !unplaced,
          },
        ]),
  ];
}
