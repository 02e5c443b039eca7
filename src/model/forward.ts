/**
 * ViT / DeiT forward pass (Dosovitskiy et al. 2021, Touvron et al. 2021): pre-norm blocks, exact GELU.
 *
 * Activations are stored tokens first, `[tokens, batch, width]`: attention then needs no transposed operands, and the
 * class token of the whole batch is one contiguous piece. A model that reads only the class (and distillation) token
 * computes queries, projection and MLP of its last block for these tokens alone; the result is the same.
 */
import { type Tensor, tf } from '../engine/tf.js';
import { attentionBranch, type Linear, layerNorm, linear, linearOfData, mlpBranch, type Norm } from '../ops/index.js';
import { type Geometry, geometry, type ModelSpec } from './spec.js';

/** Parameters by timm name; shapes as `parameterShapes` tells. */
export type Parameters = ReadonlyMap<string, Tensor>;

/** Activations of all tokens of a batch as a matrix, tokens first. */
interface Activations {
  /** `[tokens * batch, width]` */
  readonly rows: Tensor;
  readonly tokens: number;
  readonly batch: number;
}

interface Network {
  readonly spec: ModelSpec;
  readonly shape: Geometry;
  readonly get: (name: string) => Tensor;
  /** Factors of the residual branches `[2 * depth, batch]`, for stochastic depth. */
  readonly dropPath: Tensor | undefined;
}

/**
 * Logits of a batch.
 *
 * @param patches `[patches, batch, channels * patch * patch]`, patches already cut out
 * @param dropPath `[2 * depth, batch]`: factor on each residual branch of each sample (Huang et al. 2016): 0, or
 * 1 / keep probability. Absent: every branch counts once.
 * @returns `[batch, classes]`; for a model with a distillation token the mean of its two heads
 */
export function forward(spec: ModelSpec, parameters: Parameters, patches: Tensor, dropPath?: Tensor): Tensor {
  const get = (name: string): Tensor => {
    const tensor = parameters.get(name);
    if (!tensor) throw new Error(`internal: parameter ${name} is missing`);
    return tensor;
  };
  const network: Network = { spec, shape: geometry(spec), get, dropPath };
  let activations = embed(network, patches);
  for (let block = 0; block < spec.depth; block++) activations = transform(network, block, activations);
  return classify(network, activations);
}

/** Patch embedding, prefix tokens and position embedding. */
function embed({ spec, shape, get }: Network, patches: Tensor): Activations {
  const { width } = spec;
  const batch = patches.shape[1] as number;
  const kernel = tf.reshape(get('patch_embed.proj.weight'), [width, shape.patchDim]);
  const flat = tf.reshape(patches, [shape.patches * batch, shape.patchDim]);
  const embedded = tf.reshape(linearOfData(flat, kernel, get('patch_embed.proj.bias')), [shape.patches, batch, width]);
  const positions = tf.reshape(get('pos_embed'), [shape.positions, 1, width]);
  const positionsBefore = shape.positions - shape.patches;
  const placed = tf.add(embedded, tf.slice(positions, [positionsBefore, 0, 0], [shape.patches, 1, width]));
  const whole = shape.prefix === 0 ? placed : tf.concat([prefixTokens(), placed], 0);
  return { rows: tf.reshape(whole, [shape.tokens * batch, width]), tokens: shape.tokens, batch };

  function prefixTokens(): Tensor {
    const names = [
      ...(spec.class_token ? ['cls_token'] : []),
      ...(spec.distillation_token ? ['dist_token'] : []),
      ...(spec.register_tokens > 0 ? ['reg_token'] : []),
    ];
    const tokens = tf.concat(
      names.map((name) => tf.reshape(get(name), [-1, 1, width])),
      0,
    );
    const placedTokens = spec.position_prefix
      ? tf.add(tokens, tf.slice(positions, [0, 0, 0], [shape.prefix, 1, width]))
      : tokens;
    return tf.tile(placedTokens, [1, batch, 1]);
  }
}

/** One pre-norm block. The last one keeps only the tokens that are read after it. */
function transform(network: Network, block: number, input: Activations): Activations {
  const { spec, get } = network;
  const { batch } = input;
  const last = block === spec.depth - 1;
  const kept = last && spec.pool === 'token' ? tokensRead(spec) : input.tokens;
  const name = (suffix: string): string => `blocks.${block}.${suffix}`;
  const norm = (which: string): Norm => ({
    scale: get(name(`${which}.weight`)),
    bias: get(name(`${which}.bias`)),
    epsilon: spec.eps,
  });
  const layer = (which: string): Linear => ({ weight: get(name(`${which}.weight`)), bias: get(name(`${which}.bias`)) });

  const sizes = { batch, heads: spec.heads, queries: kept };
  const attended = attentionBranch(input.rows, norm('norm1'), layer('attn.qkv'), layer('attn.proj'), sizes);
  const residual = firstTokens(input, kept);
  const middle = tf.add(residual, scaled(network, 2 * block, { rows: attended, tokens: kept, batch }));
  const mlp = mlpBranch(middle, norm('norm2'), layer('mlp.fc1'), layer('mlp.fc2'));
  const rows = tf.add(middle, scaled(network, 2 * block + 1, { rows: mlp, tokens: kept, batch }));
  return { rows, tokens: kept, batch };
}

/** Rows of the first `count` tokens. */
function firstTokens({ rows, tokens, batch }: Activations, count: number): Tensor {
  return count === tokens ? rows : tf.slice(rows, [0, 0], [count * batch, rows.shape[1] as number]);
}

/** A residual branch times its stochastic-depth factors. */
function scaled({ spec, dropPath }: Network, branch: number, { rows, tokens, batch }: Activations): Tensor {
  if (!dropPath) return rows;
  const factors = tf.reshape(tf.slice(dropPath, [branch, 0], [1, batch]), [1, batch, 1]);
  const product = tf.mul(tf.reshape(rows, [tokens, batch, spec.width]), factors);
  return tf.reshape(product, [tokens * batch, spec.width]);
}

/** Tokens that the heads of a token-pooled model read: class, and distillation. */
function tokensRead(spec: ModelSpec): number {
  return spec.distillation_token ? 2 : 1;
}

/** Final norm, pooling and head. */
function classify({ spec, shape, get }: Network, { rows, tokens, batch }: Activations): Tensor {
  const { width } = spec;
  const normalise = (x: Tensor): Tensor =>
    layerNorm(x, get(`${spec.final_norm}.weight`), get(`${spec.final_norm}.bias`), spec.eps);
  const head = (x: Tensor, name: string): Tensor => linear(x, get(`${name}.weight`), get(`${name}.bias`));
  if (spec.pool === 'token') {
    const normal = normalise(rows);
    if (!spec.distillation_token) return head(normal, 'head');
    const [classRows, distillationRows] = tf.split(normal, 2, 0) as [Tensor, Tensor];
    return tf.mul(tf.add(head(classRows, 'head'), head(distillationRows, 'head_dist')), 0.5);
  }
  const before = spec.final_norm === 'norm' ? normalise(rows) : rows;
  const patches = tf.slice(
    tf.reshape(before, [tokens, batch, width]),
    [shape.prefix, 0, 0],
    [shape.patches, batch, width],
  );
  const pooled = tf.mean(patches, 0) as Tensor;
  return head(spec.final_norm === 'fc_norm' ? normalise(pooled) : pooled, 'head');
}
