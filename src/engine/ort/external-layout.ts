/** How parameters are laid out in a frozen model's external data; both sides of the engine compute it. */
import { type ExternalTensor, float32Bytes } from './onnx-writer.js';

/** Start of every tensor, in bytes. */
const ALIGNMENT = 64;

export interface ExternalLayout {
  readonly places: ReadonlyMap<string, ExternalTensor>;
  readonly bytes: number;
}

export function externalLayout(
  tensors: Iterable<{ readonly name: string; readonly shape: readonly number[] }>,
): ExternalLayout {
  const places = new Map<string, ExternalTensor>();
  let bytes = 0;
  for (const { name, shape } of tensors) {
    const length = float32Bytes(shape);
    places.set(name, { offset: bytes, length });
    bytes += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
  }
  return { places, bytes };
}
