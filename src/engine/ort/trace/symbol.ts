/** What the trace backend knows of a tensor: where it stands in the graph, or which values it holds. */
import { EngineError } from '../../../base/errors.js';
import type { GraphType } from '../graph.js';

/** Element types that tfjs tensors can have while tracing. */
export type SymbolType = Exclude<GraphType, 'int64'>;

/** Data behind one traced tensor. Exactly one of `name`, `fill` and `values` says what it holds. */
export interface Symbolic {
  readonly shape: readonly number[];
  readonly dtype: SymbolType;
  /** The graph value that holds it. */
  readonly name?: string;
  /** All elements are equal to this number; nothing is recorded until a kernel needs a whole tensor. */
  readonly fill?: number;
  /** Concrete small values, made by `tf.tensor(...)` inside a program. */
  readonly values?: ArrayLike<number>;
}

/**
 * Narrows a tfjs dtype.
 *
 * @throws EngineError for strings and complex numbers.
 */
export function symbolType(dtype: string): SymbolType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw new EngineError(`a ${dtype} tensor cannot be traced: use float32, int32 or bool`);
}
