/** Names and shapes of a ViT's parameters, as timm has them, and which group each belongs to. */
import { elementCount } from '../base/shape.js';
import { geometry, type ModelSpec } from './spec.js';

/** Shapes by timm name. The order is that of the state everywhere in the suite. */
export function parameterShapes(spec: ModelSpec): Map<string, readonly number[]> {
  const { width, hidden, classes, channels, patch } = spec;
  const shapes = new Map<string, readonly number[]>();
  if (spec.class_token) shapes.set('cls_token', [1, 1, width]);
  if (spec.distillation_token) shapes.set('dist_token', [1, 1, width]);
  if (spec.register_tokens > 0) shapes.set('reg_token', [1, spec.register_tokens, width]);
  shapes.set('pos_embed', [1, geometry(spec).positions, width]);
  shapes.set('patch_embed.proj.weight', [width, channels, patch, patch]);
  shapes.set('patch_embed.proj.bias', [width]);
  const layer = (name: string, out: number, input: number) => {
    shapes.set(`${name}.weight`, [out, input]);
    shapes.set(`${name}.bias`, [out]);
  };
  const norm = (name: string) => {
    shapes.set(`${name}.weight`, [width]);
    shapes.set(`${name}.bias`, [width]);
  };
  for (let block = 0; block < spec.depth; block++) {
    const prefix = `blocks.${block}`;
    norm(`${prefix}.norm1`);
    layer(`${prefix}.attn.qkv`, 3 * width, width);
    layer(`${prefix}.attn.proj`, width, width);
    norm(`${prefix}.norm2`);
    layer(`${prefix}.mlp.fc1`, hidden, width);
    layer(`${prefix}.mlp.fc2`, width, hidden);
  }
  norm(spec.final_norm);
  layer('head', classes, width);
  if (spec.distillation_token) layer('head_dist', classes, width);
  return shapes;
}

/** Number of parameters of a model. */
export function parameterCount(spec: ModelSpec): number {
  let count = 0;
  for (const shape of parameterShapes(spec).values()) count += elementCount(shape);
  return count;
}

/** Whether a parameter belongs to what makes tokens of an image: tokens, position embedding, patch embedding. */
export function isEmbedding(name: string): boolean {
  return /^(cls_token|dist_token|reg_token|pos_embed|patch_embed\..*)$/.test(name);
}

/** Whether a parameter belongs to a layer norm. */
export function isNorm(name: string): boolean {
  return /(^|\.)(fc_)?norm\d?\./.test(name);
}

/** Whether a parameter belongs to a classifier: the head, or that of the distillation token. */
export function isHead(name: string): boolean {
  return /^head(_dist)?\./.test(name);
}

/** Tokens and position embedding: like 1-D tensors, they are not subject to weight decay (timm's `no_weight_decay`). */
const UNDECAYED = new Set(['cls_token', 'dist_token', 'reg_token', 'pos_embed']);

/** Whether weight decay applies to a parameter: to matrices only. */
export function isDecayed(name: string, shape: readonly number[]): boolean {
  return shape.length > 1 && !UNDECAYED.has(name);
}
