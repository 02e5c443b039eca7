/**
 * Scalers of a target from those of the auxiliary model, so that it works before it is fitted. Ours, not the paper's.
 *
 * Layer `l` of `L` takes the linear interpolation of the auxiliary model's layers at `u = l (La - 1) / (L - 1)`. Block
 * `b` of an axis takes the scalers of block `b mod ra`, in every tensor alike. What is summed over more or fewer input
 * blocks is scaled by `ra / r`, and what is added to the residual stream more or fewer times (output projection and
 * second MLP layer, weight and bias) by `La / L`.
 */
import { ModelError } from '../base/errors.js';
import type { ModelSpec } from '../model/spec.js';
import { isSplit, type KindShape, kindShapes, OWN, SCALERS, type TemplateLayout } from './bank.js';
import type { Kind } from './kinds.js';

/** How the scalers of one kind are inherited; every step is linear. */
export interface InheritedKind {
  readonly source: KindShape;
  readonly target: KindShape;
  /** Layers mixed: `[target layers, source layers]`. */
  readonly layers: readonly (readonly number[])[];
  /** Factor on all entries. */
  readonly factor: number;
}

/** @param auxiliary, target models of one bank */
export function inheritance(auxiliary: ModelSpec, target: ModelSpec, layout: TemplateLayout): InheritedKind[] {
  const sources = kindShapes(auxiliary, layout);
  return kindShapes(target, layout).map((shape, i) => {
    const source = sources[i] as KindShape;
    const { kind } = shape;
    return {
      source,
      target: shape,
      layers: layerMix(source.layers, shape.layers),
      factor:
        (readsWidth(kind) ? source.blocks / shape.blocks : 1) *
        (addsToResidual(kind) ? auxiliary.depth / target.depth : 1),
    };
  });
}

/**
 * The scalers of one kind.
 *
 * @throws ModelError when there are none, as for the head of a model that has one of its own.
 */
export function scalersOf<T>(scalers: ReadonlyMap<string, T>, { kind }: KindShape): T {
  const found = scalers.get(SCALERS + kind.name);
  if (found !== undefined) return found;
  const why = scalers.has(OWN + kind.name) ? ': the model has a head of its own, which no other size can inherit' : '';
  throw new ModelError(`${SCALERS}${kind.name} is missing${why}`);
}

/** Weights of linear interpolation: row `l` has at most two entries that are not 0. One layer takes the middle. */
export function layerMix(from: number, to: number): number[][] {
  return Array.from({ length: to }, (_, layer) => {
    const place = to === 1 ? (from - 1) / 2 : (layer * (from - 1)) / (to - 1);
    const below = Math.min(Math.floor(place), from - 1);
    const share = place - below;
    const row = new Array<number>(from).fill(0);
    row[below] = 1 - share;
    if (share > 0) row[below + 1] = share;
    return row;
  });
}

/** A weight whose input axis follows the width: its last axis, of two split ones or beside the classes. */
function readsWidth({ name, axes }: Kind): boolean {
  return axes.length === 2 && isSplit(axes[1] as Kind['axes'][number]) && name.endsWith('.weight');
}

const ADDED = new Set([
  'blocks.attn.proj.weight',
  'blocks.attn.proj.bias',
  'blocks.mlp.fc2.weight',
  'blocks.mlp.fc2.bias',
]);

function addsToResidual({ name }: Kind): boolean {
  return ADDED.has(name);
}
