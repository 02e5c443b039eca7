/** Writes a model artifact. */
import { elementCount } from '../base/shape.js';
import { type Lineage, type TensorInput, writeArtifact } from '../checkpoint/index.js';
import type { Fill } from './fill.js';
import { parameterShapes } from './parameters.js';
import type { ModelSpec } from './spec.js';

/**
 * Writes `model.safetensors`-style artifact: every parameter as F32 under its timm name.
 *
 * @param model.values by timm name, or a function that makes them, one at a time in memory
 * @throws CheckpointError when it cannot be written; the file that was there before is then untouched. What `values`
 * throws passes through.
 */
export async function saveModel(
  path: string,
  model: { spec: ModelSpec; values: ReadonlyMap<string, Float32Array> | Fill; lineage: Lineage },
): Promise<void> {
  const { spec, values, lineage } = model;
  const shapes = parameterShapes(spec);
  const get =
    typeof values === 'function' ? oneAtATime(values, shapes) : (name: string) => values.get(name) as Float32Array;
  const tensors = new Map<string, TensorInput>();
  for (const [name, shape] of shapes) tensors.set(name, { dtype: 'F32', shape, data: () => get(name) });
  await writeArtifact(path, { kind: 'model', spec, lineage, tensors });
}

/** The values of one parameter after the other, in the same memory. */
function oneAtATime(fill: Fill, shapes: ReadonlyMap<string, readonly number[]>): (name: string) => Float32Array {
  const sizes = new Map([...shapes].map(([name, shape]) => [name, elementCount(shape)]));
  const memory = new Float32Array(Math.max(...sizes.values()));
  return (name) => {
    const values = memory.subarray(0, sizes.get(name));
    fill(name, values);
    return values;
  };
}
