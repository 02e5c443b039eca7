/** Inheritance of scalers on the host. */
import type { ModelSpec } from '../model/spec.js';
import { SCALERS, type TemplateLayout } from './bank.js';
import { type InheritedKind, inheritance, scalersOf } from './inherit.js';

/** Values by name. */
export type NamedValues = ReadonlyMap<string, Float32Array>;

/**
 * Scalers of a target from those of the auxiliary model.
 *
 * @param scalers `scalers.KIND` `[layers, count, ...scaler]`
 * @returns the same of the target, in the order of `scalerShapes`
 * @throws ModelError when a kind has no scalers, as for the head of a model that has one of its own.
 */
export function inheritScalers(
  auxiliary: ModelSpec,
  target: ModelSpec,
  layout: TemplateLayout,
  scalers: NamedValues,
): Map<string, Float32Array> {
  const inherited = new Map<string, Float32Array>();
  for (const kind of inheritance(auxiliary, target, layout)) {
    inherited.set(SCALERS + kind.target.kind.name, inheritKind(kind, scalersOf(scalers, kind.source)));
  }
  return inherited;
}

function inheritKind({ source, target, layers, factor }: InheritedKind, scalers: Float32Array): Float32Array {
  const [from, to] = [source.blocks, target.blocks];
  const axes = source.scaler.length;
  const [fromEntries, toEntries] = [from ** axes, to ** axes];
  const result = new Float32Array(target.layers * target.count * toEntries);
  let place = 0;
  for (const row of layers) {
    for (let t = 0; t < target.count; t++) {
      for (let entry = 0; entry < toEntries; entry++) {
        let sum = 0;
        row.forEach((weight, layer) => {
          if (weight !== 0)
            sum += weight * (scalers[(layer * source.count + t) * fromEntries + origin(entry)] as number);
        });
        result[place++] = sum * factor;
      }
    }
  }
  return result;

  /** The entry of the source that an entry of the target comes from. */
  function origin(entry: number): number {
    if (axes === 2) return (Math.floor(entry / to) % from) * from + ((entry % to) % from);
    return axes === 1 ? entry % from : 0;
  }
}
