/** Batches on their way to the engine's worker, and results on their way back. */
import type { FedTensor, TensorValues } from '../tensor-spec.js';
import { OUTPUT_PREFIX } from './program-graph.js';

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
