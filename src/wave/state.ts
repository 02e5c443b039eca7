/** The engine's state of templates and scalers: which of them train, and how. */
import type { StateEntry } from '../engine/types.js';
import { isDecayed, parameterShapes } from '../model/parameters.js';
import type { ModelSpec } from '../model/spec.js';
import { kindShapes, OWN, SCALERS, TEMPLATES, type TemplateLayout } from './bank.js';
import type { NamedValues } from './inherit-host.js';
import { isHead } from './kinds.js';

/** What of a state of templates trains. */
export interface TemplateTrainingRule {
  /** Whether templates train too (distillation), or scalers alone (fit). */
  readonly templates: boolean;
  readonly scalers: boolean;
  /** Decoupled; on templates whose kind decays in an ordinary model (`isDecayed`), and on the weight of an own head. */
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
  const decay = (name: string, shape: readonly number[]): number =>
    isDecayed(name, shape) ? (rule.weightDecay ?? 0) : 0;
  const own = [...parameterShapes(model)].filter(([name]) => isHead(name) && values.has(OWN + name));
  const replaced = new Set(own.map(([name]) => name));
  const shapes = kindShapes(model, layout).filter(({ kind }) => !replaced.has(kind.name));
  for (const { kind, count, template } of shapes) {
    add(TEMPLATES + kind.name, [count, ...template], rule.templates, decay(kind.name, template));
  }
  for (const { kind, layers, count, scaler } of shapes) {
    add(SCALERS + kind.name, [layers, count, ...scaler], rule.scalers, 0);
  }
  for (const [name, shape] of own) add(OWN + name, shape, rule.scalers, decay(name, shape));
  return entries;
}
