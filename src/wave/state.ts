/** The engine's state of templates and scalers: which of them train, and how. */
import type { StateEntry } from '../engine/types.js';
import { parameterShapes } from '../model/parameters.js';
import type { ModelSpec } from '../model/spec.js';
import { OWN, SCALERS, scalerShapes, type TemplateLayout, templateShapes } from './bank.js';
import type { NamedValues } from './inherit-host.js';
import { isHead } from './kinds.js';

export interface TemplateTrainingRule {
  /** Whether templates train too (distillation), or scalers alone (fit). */
  readonly templates: boolean;
  readonly scalers: boolean;
  /** Decoupled, on templates of matrices only. */
  readonly weightDecay?: number;
}

/**
 * Entries for `Engine.createState`: templates, scalers and, where it has one, the model's own head.
 *
 * @param values `templates.KIND`, `scalers.KIND`, `own.head.*`
 */
export function templateEntries(
  model: ModelSpec,
  layout: TemplateLayout,
  values: NamedValues,
  rule: TemplateTrainingRule,
): Map<string, StateEntry> {
  const entries = new Map<string, StateEntry>();
  const add = (name: string, shape: readonly number[], trained: boolean, weightDecay: number) => {
    const data = values.get(name) as Float32Array;
    entries.set(name, {
      spec: { shape, dtype: 'float32' },
      values: data,
      rule: { trained, weightDecay, learningRateScale: 1 },
    });
  };
  const own = [...parameterShapes(model)].filter(([name]) => isHead(name) && values.has(OWN + name));
  const replaced = new Set(own.map(([name]) => name));
  for (const [name, shape] of templateShapes(model, layout)) {
    if (!replaced.has(name.slice('templates.'.length))) {
      add(name, shape, rule.templates, shape.length > 2 ? (rule.weightDecay ?? 0) : 0);
    }
  }
  for (const [name, shape] of scalerShapes(model, layout)) {
    if (!replaced.has(name.slice(SCALERS.length))) add(name, shape, rule.scalers, 0);
  }
  for (const [name, shape] of own) add(OWN + name, shape, rule.scalers, shape.length > 1 ? (rule.weightDecay ?? 0) : 0);
  return entries;
}
