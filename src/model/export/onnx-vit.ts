/**
 * A ViT as a graph of standard ONNX operators (operator set 17), for any batch. Tokens are rows `[batch * tokens, width]`
 * throughout, so that every linear layer is a Gemm on the weights as timm stores them; only attention sees the axes
 * apart. As in `model/forward.ts`, the last block computes only the tokens that are read after it.
 */
import { int, ints } from '../../engine/ort/graph.js';
import { type Geometry, geometry, type ModelSpec } from '../spec.js';
import type { OnnxGraph } from './onnx-graph.js';

interface Network {
  readonly graph: OnnxGraph;
  readonly spec: ModelSpec;
  readonly shape: Geometry;
}

/** Rows of tokens, image by image. */
interface Rows {
  readonly name: string;
  /** Tokens per image. */
  readonly tokens: number;
}

/**
 * Records the nodes from pixels to logits.
 *
 * @param pixels name of a float32 value `[batch, channels, height, width]`
 * @param logits name for the result `[batch, classes]`
 */
export function recordVit(graph: OnnxGraph, spec: ModelSpec, pixels: string, logits: string): void {
  const network = { graph, spec, shape: geometry(spec) };
  let rows = embed(network, pixels);
  for (let block = 0; block < spec.depth; block++) rows = transform(network, block, rows);
  classify(network, rows, logits);
}

/** Patch embedding, prefix tokens and position embedding. */
function embed({ graph, spec, shape }: Network, pixels: string): Rows {
  const { width, patch } = spec;
  const kernel = [graph.weight('patch_embed.proj.weight'), graph.weight('patch_embed.proj.bias')];
  const convolved = graph.node('patch_embed.proj', 'Conv', [pixels, ...kernel], {
    kernel_shape: ints([patch, patch]),
    strides: ints([patch, patch]),
  });
  const flat = graph.reshape('patch_embed.flat', convolved, [0, width, shape.patches]);
  const patches = graph.transpose('patch_embed', flat, [0, 2, 1]);
  const placed = (tokens: string) => graph.node('embedded', 'Add', [tokens, graph.weight('pos_embed')]);
  const whole = spec.position_prefix ? placed(withPrefix(patches)) : withPrefix(placed(patches));
  return { name: graph.reshape('embedded.rows', whole, [-1, width]), tokens: shape.tokens };

  function withPrefix(tokens: string): string {
    if (shape.prefix === 0) return tokens;
    const names = [
      ...(spec.class_token ? ['cls_token'] : []),
      ...(spec.distillation_token ? ['dist_token'] : []),
      ...(spec.register_tokens > 0 ? ['reg_token'] : []),
    ].map((name) => graph.weight(name));
    const one = names.length === 1 ? (names[0] as string) : graph.node('prefix.one', 'Concat', names, { axis: int(1) });
    const batch = graph.node('batch', 'Shape', [pixels], { start: int(0), end: int(1) });
    const sizes = [batch, graph.integers([shape.prefix, width])];
    const size = graph.node('prefix.shape', 'Concat', sizes, { axis: int(0) });
    const prefix = graph.node('prefix', 'Expand', [one, size]);
    return graph.node('tokens', 'Concat', [prefix, tokens], { axis: int(1) });
  }
}

/** One pre-norm block. The last one of a token-pooled model keeps only the tokens that its heads read. */
function transform(network: Network, block: number, input: Rows): Rows {
  const { graph, spec } = network;
  const path = `blocks.${block}`;
  const last = block === spec.depth - 1;
  const kept = last && spec.pool === 'token' ? tokensRead(spec) : input.tokens;
  const normal = graph.layerNorm(`${path}.norm1`, input.name, spec.eps);
  const attended = attend(network, `${path}.attn`, { name: normal, tokens: input.tokens }, kept);
  const residual = firstTokens(network, `${path}.kept`, input, kept);
  const middle = graph.node(`${path}.attn.residual`, 'Add', [residual, attended]);
  const mlp = perceive(network, path, middle);
  return { name: graph.node(path, 'Add', [middle, mlp]), tokens: kept };
}

/** Self-attention of all tokens, with the queries of the first `kept`: rows of those. */
function attend({ graph, spec, shape }: Network, path: string, { name, tokens }: Rows, kept: number): string {
  const joined = graph.linear(`${path}.qkv`, name);
  const parts = ['q', 'k', 'v'].map((part) => `${path}.${part}`);
  const [q, k, v] = graph.nodes(`${path}.split`, 'Split', [joined], parts, { axis: int(1) }) as [
    string,
    string,
    string,
  ];
  const heads = (part: string, order: readonly number[]) => {
    const apart = graph.reshape(`${part}.apart`, part, [-1, tokens, spec.heads, shape.headSize]);
    return graph.transpose(`${part}.heads`, apart, order);
  };
  const everyQuery = heads(q, [0, 2, 1, 3]);
  const queries = kept === tokens ? everyQuery : graph.slice(`${q}.kept`, everyQuery, 2, 0, kept);
  const scaled = graph.node(`${q}.scaled`, 'Mul', [queries, graph.scalar(1 / Math.sqrt(shape.headSize))]);
  const scores = graph.node(`${path}.scores`, 'MatMul', [scaled, heads(k, [0, 2, 3, 1])]);
  const weights = graph.node(`${path}.softmax`, 'Softmax', [scores], { axis: int(-1) });
  const mixed = graph.node(`${path}.mixed`, 'MatMul', [weights, heads(v, [0, 2, 1, 3])]);
  const ordered = graph.transpose(`${path}.ordered`, mixed, [0, 2, 1, 3]);
  return graph.linear(`${path}.proj`, graph.reshape(`${path}.rows`, ordered, [-1, spec.width]));
}

/** Norm and MLP with exact GELU, written as `0.5 (x (1 + erf(x / sqrt 2)))`: the form that runtimes know to fuse. */
function perceive({ graph, spec }: Network, path: string, x: string): string {
  const hidden = graph.linear(`${path}.mlp.fc1`, graph.layerNorm(`${path}.norm2`, x, spec.eps));
  const act = `${path}.mlp.act`;
  const erf = graph.node(`${act}.erf`, 'Erf', [graph.node(`${act}.div`, 'Div', [hidden, graph.scalar(Math.SQRT2)])]);
  const twice = graph.node(`${act}.twice`, 'Mul', [hidden, graph.node(`${act}.cdf`, 'Add', [erf, graph.scalar(1)])]);
  return graph.linear(`${path}.mlp.fc2`, graph.node(act, 'Mul', [twice, graph.scalar(0.5)]));
}

/** Rows of the first `count` tokens of every image. */
function firstTokens({ graph, spec }: Network, name: string, { name: rows, tokens }: Rows, count: number): string {
  if (count === tokens) return rows;
  const apart = graph.reshape(`${name}.apart`, rows, [-1, tokens, spec.width]);
  return graph.reshape(name, graph.slice(`${name}.slice`, apart, 1, 0, count), [-1, spec.width]);
}

/** Tokens that the heads of a token-pooled model read: class, and distillation. */
function tokensRead(spec: ModelSpec): number {
  return spec.distillation_token ? 2 : 1;
}

/** Final norm, pooling and head. */
function classify({ graph, spec, shape }: Network, { name: rows, tokens }: Rows, logits: string): void {
  const { width } = spec;
  const normalise = (x: string) => graph.layerNorm(spec.final_norm, x, spec.eps);
  if (spec.pool === 'token') {
    const normal = normalise(rows);
    if (!spec.distillation_token) {
      graph.linear('head', normal, logits);
      return;
    }
    const pair = graph.reshape('pooled', normal, [-1, 2 * width]);
    const names = ['pooled.class', 'pooled.distillation'];
    const [first, second] = graph.nodes('pooled.split', 'Split', [pair], names, { axis: int(1) }) as [string, string];
    const sum = graph.node('head.sum', 'Add', [graph.linear('head', first), graph.linear('head_dist', second)]);
    graph.node(logits, 'Mul', [sum, graph.scalar(0.5)]);
    return;
  }
  const before = spec.final_norm === 'norm' ? normalise(rows) : rows;
  const apart = graph.reshape('pooled.apart', before, [-1, tokens, width]);
  const patches = shape.prefix === 0 ? apart : graph.slice('pooled.patches', apart, 1, shape.prefix, tokens);
  const pooled = graph.node('pooled', 'ReduceMean', [patches], { axes: ints([1]), keepdims: int(0) });
  graph.linear('head', spec.final_norm === 'fc_norm' ? normalise(pooled) : pooled, logits);
}
