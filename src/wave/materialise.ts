/**
 * Weights from templates and scalers, `W(l) = sum_t T_t (x) S_t(l)`, in tensor operations: part of a compiled step, where
 * gradients flow back to both.
 */
import { type Tensor, tf } from '../engine/tf.js';
import type { Parameters } from '../model/forward.js';
import type { ModelSpec } from '../model/spec.js';
import { outerSum } from '../ops/index.js';
import { type Arrangement, arrange, isBlockwise } from './arrangement.js';
import { type KindShape, kindShapes, OWN, SCALERS, TEMPLATES, type TemplateLayout } from './bank.js';
import { isHead, parameterName } from './kinds.js';

/**
 * All parameters of a model, by timm name.
 *
 * A matrix is made block by block of the network, so that it is still in the cache when it is put in order; the small
 * tensors of a kind are made in one product for all blocks.
 *
 * @param tensors `templates.KIND` `[count, ...template]` and `scalers.KIND` `[layers, count, ...scaler]`; a head may be
 * given as it is instead, as `own.head.weight` and `own.head.bias`
 * @param arrangement order of the channels; see {@link Arrangement}
 */
export function materialise(
  model: ModelSpec,
  layout: TemplateLayout,
  tensors: ReadonlyMap<string, Tensor>,
  arrangement: Arrangement,
): Parameters {
  const parameters = new Map<string, Tensor>();
  for (const shape of kindShapes(model, layout)) {
    const { kind } = shape;
    const own = isHead(kind.name) ? tensors.get(OWN + kind.name) : undefined;
    if (own) {
      parameters.set(kind.name, ordered(own, shape, layout, arrangement));
      continue;
    }
    const weights = kindWeights(shape, layout, tensors, arrangement);
    weights.forEach((weight, block) => {
      parameters.set(parameterName(kind, block), weight);
    });
  }
  return parameters;
}

/** A head that is given as it is, its columns in the order that the rest of the model has. */
function ordered(own: Tensor, { kind, blocks }: KindShape, layout: TemplateLayout, arrangement: Arrangement): Tensor {
  const input = kind.axes[1];
  if (!input || layout.kronecker === 'scaler-outer' || !isBlockwise(input, layout.kronecker, arrangement)) return own;
  const apart = tf.reshape(own, [own.shape[0] as number, layout.width, blocks]);
  return tf.reshape(tf.transpose(apart, [0, 2, 1]), own.shape);
}

/** The tensors of one kind, one per layer. */
function kindWeights(
  shape: KindShape,
  layout: TemplateLayout,
  tensors: ReadonlyMap<string, Tensor>,
  arrangement: Arrangement,
): Tensor[] {
  const { kind, count, layers, full } = shape;
  const get = (name: string): Tensor => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`internal: ${name} is missing`);
    return tensor;
  };
  const templates = tf.reshape(get(TEMPLATES + kind.name), [count, -1]);
  const scalers = get(SCALERS + kind.name);
  const order = arrange(shape, layout.kronecker, arrangement);
  /** @param together the number of tensors, as `[number]`, if the result has an axis for them */
  const build = (columns: Tensor, together: readonly number[] = []): Tensor => {
    const product = tf.reshape(outerSum(columns, templates), [...together, ...order.from]);
    const axes = [...together.keys(), ...order.permutation.map((axis) => axis + together.length)];
    return tf.reshape(tf.transpose(product, axes), [...together, ...full]);
  };
  if (kind.isMatrix) {
    return layerByLayer(scalers, layers).map((own) => build(tf.reshape(own, [count, -1])));
  }
  const entries = scalers.size / (layers * count);
  const stacked = tf.transpose(tf.reshape(scalers, [layers, count, entries]), [1, 0, 2]);
  const all = build(tf.reshape(stacked, [count, layers * entries]), [layers]);
  return layerByLayer(all, layers).map((own) => tf.reshape(own, [...full]));
}

/** Slices of the first axis. The gradient of a split into one part does not exist in tfjs. */
function layerByLayer(stacked: Tensor, layers: number): Tensor[] {
  return layers === 1 ? [stacked] : tf.split(stacked, layers, 0);
}
