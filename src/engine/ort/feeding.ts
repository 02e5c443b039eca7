/** Batches on their way to the engine's worker, and results on their way back. */
import { EngineError } from '../../base/errors.js';
import { elementCount } from '../../base/shape.js';
import type { TensorSpecs, TensorValues } from '../tensor-spec.js';
import { OUTPUT_PREFIX } from './program-graph.js';
import type { FedTensor } from './worker-protocol.js';

/**
 * Inputs with their shapes.
 *
 * @throws EngineError when one is missing, or has another type or length than the program says.
 */
export function fed(inputs: ReadonlyMap<string, TensorValues>, specs: TensorSpecs): FedTensor[] {
  return [...specs].map(([name, { shape, dtype }]) => {
    const values = inputs.get(name);
    const length = elementCount(shape);
    const fits = dtype === 'int32' ? values instanceof Int32Array : values instanceof Float32Array;
    if (!values || !fits || values.length !== length) {
      throw new EngineError(
        `input ${name} must be ${dtype} [${shape.join(', ')}] (${length} elements), ` +
          `found ${values ? `${values.constructor.name} of ${values.length}` : 'nothing'}`,
      );
    }
    return { name, shape, values };
  });
}

/** Buffers that a batch owns alone and that can move instead of being copied. */
export function buffers(inputs: ReadonlyMap<string, TensorValues>): ArrayBuffer[] {
  const unique = new Set<ArrayBuffer>();
  for (const { buffer, byteLength } of inputs.values()) {
    if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) unique.add(buffer);
  }
  return [...unique];
}

/** A program's outputs under the names that the program gave them. */
export function received(outputs: readonly FedTensor[]): Map<string, TensorValues> {
  return new Map(outputs.map(({ name, values }) => [name.slice(OUTPUT_PREFIX.length), values]));
}
