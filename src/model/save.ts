/** Writes a model artifact. */
import { type Lineage, type TensorInput, writeArtifact } from '../checkpoint/index.js';
import { parameterShapes } from './parameters.js';
import type { ModelSpec } from './spec.js';

/**
 * Writes `model.safetensors`-style artifact: every parameter as F32 under its timm name.
 *
 * @throws CheckpointError when it cannot be written; the file that was there before is then untouched.
 */
export async function saveModel(
  path: string,
  { spec, values, lineage }: { spec: ModelSpec; values: ReadonlyMap<string, Float32Array>; lineage: Lineage },
): Promise<void> {
  const tensors = new Map<string, TensorInput>();
  for (const [name, shape] of parameterShapes(spec)) {
    tensors.set(name, { dtype: 'F32', shape, data: values.get(name) as Float32Array });
  }
  await writeArtifact(path, { kind: 'model', spec, lineage, tensors });
}
