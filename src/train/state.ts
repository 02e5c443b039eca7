/** The engine's state for a model: which parameters train, decay and at which rate. */
import type { ParameterRule, StateEntry } from '../engine/types.js';
import { isDecayed, parameterShapes } from '../model/parameters.js';
import type { ModelSpec } from '../model/spec.js';

/**
 * Entries for `Engine.createState`: all parameters trained, decay on matrices only.
 *
 * @param values by timm name, as `parameterShapes` lists them
 */
export function modelEntries(
  spec: ModelSpec,
  values: ReadonlyMap<string, Float32Array>,
  options: { readonly trained: boolean; readonly weightDecay?: number },
): Map<string, StateEntry> {
  const entries = new Map<string, StateEntry>();
  for (const [name, shape] of parameterShapes(spec)) {
    const weightDecay = isDecayed(name, shape) ? (options.weightDecay ?? 0) : 0;
    const rule: ParameterRule = { trained: options.trained, weightDecay, learningRateScale: 1 };
    entries.set(name, { spec: { shape, dtype: 'float32' }, values: values.get(name) as Float32Array, rule });
  }
  return entries;
}
