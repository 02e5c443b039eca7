/** Shape and element type of a tensor that has no values yet. */

/** Element types that cross the engine boundary. */
export type ElementType = 'float32' | 'int32';

/** A tensor's description: `shape` in elements, row-major. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: ElementType;
}

/** Values of either element type. */
export type TensorValues = Float32Array | Int32Array;

/** Tensors by name. Iteration order is insertion order and is the order of parameters everywhere. */
export type TensorSpecs = ReadonlyMap<string, TensorSpec>;

/** A tensor with its values, on its way to an engine or back. */
export interface FedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

/** Those of `tensors` that `specs` names, in the order of `specs`. All must be there. */
export function pick<T>(tensors: ReadonlyMap<string, T>, specs: ReadonlyMap<string, unknown>): Map<string, T> {
  return new Map([...specs.keys()].map((name) => [name, tensors.get(name) as T]));
}
