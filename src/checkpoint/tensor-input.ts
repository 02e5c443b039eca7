/** What the writer takes for a tensor, and the bytes it becomes. */
import { quote } from '../base/text.js';
import { littleEndianBytes } from './byte-order.js';
import { type Dtype, dtypeUnitBytes } from './dtypes.js';
import { CheckpointError } from './errors.js';
import type { NumberArray } from './numbers.js';

/**
 * A tensor's values, packed row by row: the typed array of the dtype (Float32Array for F32, Uint16Array with bit
 * patterns for F16 and BF16, BigInt64Array for I64, Uint8Array for BOOL, ...) or, for any dtype, a Uint8Array with
 * the little-endian bytes.
 */
export type TensorData = NumberArray;

/** A tensor for `serializeSafetensors`; a function is called when the tensor's turn comes. */
export interface MemoryTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData | (() => TensorData);
}

/** A tensor for `writeSafetensors`; a function may be asynchronous, so that one tensor at a time is in memory. */
export interface TensorInput {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData | (() => TensorData | Promise<TensorData>);
}

/** Name of the typed array that holds each dtype's numbers; the other dtypes are given as bytes only. */
const ARRAY_NAMES: ReadonlyMap<Dtype, string> = new Map([
  ['I8', 'Int8Array'],
  ['I16', 'Int16Array'],
  ['U16', 'Uint16Array'],
  ['F16', 'Uint16Array'],
  ['BF16', 'Uint16Array'],
  ['I32', 'Int32Array'],
  ['U32', 'Uint32Array'],
  ['F32', 'Float32Array'],
  ['F64', 'Float64Array'],
  ['I64', 'BigInt64Array'],
  ['U64', 'BigUint64Array'],
]);

/**
 * The bytes of a tensor as they stand in the file.
 * @throws {CheckpointError} InvalidTensor for a typed array of another type than the dtype's, TensorInvalidInfo when
 * the data does not have `byteLength` bytes.
 */
export function dataBytes(
  tensor: { readonly name: string; readonly dtype: Dtype; readonly shape: readonly number[] },
  data: TensorData,
  byteLength: number,
  source: string,
): Uint8Array {
  const view = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const found = data.constructor.name;
  const isRaw = data instanceof Uint8Array;
  if (!isRaw && ARRAY_NAMES.get(tensor.dtype) !== found) {
    const wanted = ARRAY_NAMES.get(tensor.dtype);
    const allowed = wanted === undefined ? 'a Uint8Array' : `${wanted} or Uint8Array`;
    const problem = `tensor ${quote(tensor.name)}: ${tensor.dtype} needs ${allowed}, found ${found}`;
    throw new CheckpointError('InvalidTensor', source, problem);
  }
  if (view.byteLength !== byteLength) {
    const problem = `tensor ${quote(tensor.name)}: ${tensor.dtype} [${tensor.shape}] needs ${byteLength} bytes, the data has ${view.byteLength}`;
    throw new CheckpointError('TensorInvalidInfo', source, problem);
  }
  return isRaw ? view : littleEndianBytes(view, dtypeUnitBytes(tensor.dtype));
}
