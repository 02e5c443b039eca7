/**
 * Kinds of tensors. All tensors of one kind, the query-key-value weights of every block for example, are made from the
 * same templates. What a kind knows is how its axes follow the width of the model.
 */
import { parameterShapes } from '../model/parameters.js';
import type { ModelSpec } from '../model/spec.js';

/** Weights and biases of classifiers, which are left out of a bank when classes differ. */
export { isHead } from '../model/parameters.js';

/**
 * What an axis of a parameter runs over. Axes of one role are cut into blocks in the same way in every tensor, so that
 * what one tensor writes is what the next one reads.
 *
 * - `residual`: the channels of the residual stream.
 * - `heads`: the channels inside attention: rows of queries, keys and values, columns of the output projection.
 * - `hidden`: the channels inside the MLP.
 * - `fixed`: tokens, classes, pixels: the same for every depth and width.
 */
export type AxisRole = 'residual' | 'heads' | 'hidden' | 'fixed';

export interface Axis {
  readonly role: AxisRole;
  /** Roles of attention side by side on this axis, which are never mixed: 3 for queries, keys and values, else 1. */
  readonly groups: number;
}

export interface Kind {
  /** The timm name without the number of the block: `blocks.attn.qkv.weight`, `pos_embed`. */
  readonly name: string;
  /** One tensor in every block, or one in the model. */
  readonly perBlock: boolean;
  /** One of the four matrices of a block; the others (biases, norms, tokens, embeddings, head) are small. */
  readonly isMatrix: boolean;
  /** In the order of the parameter's shape. */
  readonly axes: readonly Axis[];
}

const axis = (role: AxisRole, groups = 1): Axis => ({ role, groups });
const [RESIDUAL, HEADS, QKV, HIDDEN, FIXED] = [
  axis('residual'),
  axis('heads'),
  axis('heads', 3),
  axis('hidden'),
  axis('fixed'),
];
const TOKENS = [FIXED, FIXED, RESIDUAL];

const AXES: ReadonlyMap<string, readonly Axis[]> = new Map([
  ['cls_token', TOKENS],
  ['dist_token', TOKENS],
  ['reg_token', TOKENS],
  ['pos_embed', TOKENS],
  ['patch_embed.proj.weight', [RESIDUAL, FIXED, FIXED, FIXED]],
  ['patch_embed.proj.bias', [RESIDUAL]],
  ['blocks.norm1.weight', [RESIDUAL]],
  ['blocks.norm1.bias', [RESIDUAL]],
  ['blocks.attn.qkv.weight', [QKV, RESIDUAL]],
  ['blocks.attn.qkv.bias', [QKV]],
  ['blocks.attn.proj.weight', [RESIDUAL, HEADS]],
  ['blocks.attn.proj.bias', [RESIDUAL]],
  ['blocks.norm2.weight', [RESIDUAL]],
  ['blocks.norm2.bias', [RESIDUAL]],
  ['blocks.mlp.fc1.weight', [HIDDEN, RESIDUAL]],
  ['blocks.mlp.fc1.bias', [HIDDEN]],
  ['blocks.mlp.fc2.weight', [RESIDUAL, HIDDEN]],
  ['blocks.mlp.fc2.bias', [RESIDUAL]],
  ['norm.weight', [RESIDUAL]],
  ['norm.bias', [RESIDUAL]],
  ['fc_norm.weight', [RESIDUAL]],
  ['fc_norm.bias', [RESIDUAL]],
  ['head.weight', [FIXED, RESIDUAL]],
  ['head.bias', [FIXED]],
  ['head_dist.weight', [FIXED, RESIDUAL]],
  ['head_dist.bias', [FIXED]],
]);

const MATRICES: ReadonlySet<string> = new Set([
  'blocks.attn.qkv.weight',
  'blocks.attn.proj.weight',
  'blocks.mlp.fc1.weight',
  'blocks.mlp.fc2.weight',
]);

/** The kind that a parameter belongs to, by its timm name. */
export function kindName(parameter: string): string {
  return parameter.replace(/^blocks\.\d+\./, 'blocks.');
}

/** The parameter of a kind in one block; the kind's own name where it has no blocks. */
export function parameterName(kind: Kind, block: number): string {
  return kind.perBlock ? kind.name.replace('blocks.', `blocks.${block}.`) : kind.name;
}

/** All kinds of a model, in the order of its parameters. */
export function modelKinds(spec: ModelSpec): Kind[] {
  const names = new Set([...parameterShapes({ ...spec, depth: 1 }).keys()].map(kindName));
  return [...names].map((name) => {
    const axes = AXES.get(name);
    if (axes === undefined) throw new Error(`internal: no axes are known for ${name}`);
    return { name, axes, perBlock: name.startsWith('blocks.'), isMatrix: MATRICES.has(name) };
  });
}
