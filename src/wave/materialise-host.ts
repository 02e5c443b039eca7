/** Weights from templates and scalers on the host, tensor by tensor, for a checkpoint. */
import type { ModelSpec } from '../model/spec.js';
import { type KindShape, kindShapes, OWN, SCALERS, TEMPLATES, type TemplateLayout } from './bank.js';
import type { NamedValues } from './inherit-host.js';
import { isHead, parameterName } from './kinds.js';
import { entryOffsets, product } from './offsets.js';

/**
 * All parameters of a model by timm name, as `materialise` makes them in the standard arrangement.
 *
 * @param tensors `templates.KIND` and `scalers.KIND`; `own.head.*` where the head is given as it is
 */
export function materialiseValues(
  model: ModelSpec,
  layout: TemplateLayout,
  tensors: NamedValues,
): Map<string, Float32Array> {
  const values = new Map<string, Float32Array>();
  for (const shape of kindShapes(model, layout)) {
    const { kind, layers } = shape;
    const own = isHead(kind.name) ? tensors.get(OWN + kind.name) : undefined;
    const templates = tensors.get(TEMPLATES + kind.name) as Float32Array;
    const scalers = tensors.get(SCALERS + kind.name) as Float32Array;
    for (let layer = 0; layer < layers; layer++) {
      values.set(parameterName(kind, layer), own ?? weight(shape, layout, templates, scalers, layer));
    }
  }
  return values;
}

function weight(
  shape: KindShape,
  layout: TemplateLayout,
  templates: Float32Array,
  scalers: Float32Array,
  layer: number,
): Float32Array {
  const { count, full, template, scaler } = shape;
  const result = new Float32Array(product(full));
  const size = product(template);
  const entries = product(scaler);
  const columns = template[template.length - 1] ?? 1;
  const sum = new Float64Array(columns);
  for (let entry = 0; entry < entries; entry++) {
    const offsets = entryOffsets(shape, layout, entry);
    for (let row = 0; row < offsets.rows.length; row++) {
      sum.fill(0);
      for (let t = 0; t < count; t++) {
        const factor = scalers[(layer * count + t) * entries + entry] as number;
        const start = t * size + row * columns;
        for (let j = 0; j < columns; j++) sum[j] = (sum[j] as number) + factor * (templates[start + j] as number);
      }
      const base = offsets.rows[row] as number;
      for (let j = 0; j < columns; j++) result[base + (offsets.columns[j] as number)] = sum[j] as number;
    }
  }
  return result;
}
