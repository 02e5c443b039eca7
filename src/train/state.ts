/** The engine's state for a model: which parameters train, decay and at which rate. */
import type { ParameterRule, StateEntry } from '../engine/types.js';
import { isDecayed, parameterShapes } from '../model/parameters.js';
import type { ModelSpec } from '../model/spec.js';

/** Rules of the parameters, by timm name where they differ. */
export interface ModelRules {
  readonly trained: boolean | ((name: string) => boolean);
  readonly weightDecay?: number;
  /** Factor on the learning rate; 1 where it is left out. */
  readonly learningRateScale?: (name: string) => number;
}

/**
 * Entries for `Engine.createState`: weight decay on matrices only.
 *
 * @param values by timm name, as `parameterShapes` lists them
 */
export function modelEntries(
  spec: ModelSpec,
  values: ReadonlyMap<string, Float32Array>,
  { trained, weightDecay = 0, learningRateScale = () => 1 }: ModelRules,
): Map<string, StateEntry> {
  const entries = new Map<string, StateEntry>();
  for (const [name, shape] of parameterShapes(spec)) {
    const rule: ParameterRule = {
      trained: typeof trained === 'boolean' ? trained : trained(name),
      weightDecay: isDecayed(name, shape) ? weightDecay : 0,
      learningRateScale: learningRateScale(name),
    };
    entries.set(name, { spec: { shape, dtype: 'float32' }, values: values.get(name) as Float32Array, rule });
  }
  return entries;
}
