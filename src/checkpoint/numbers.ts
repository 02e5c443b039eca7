/** From a tensor's bytes to JavaScript numbers: which dtypes have which typed array, and how to widen to float32. */
import type { Dtype } from './dtypes.js';
import { widenBf16, widenF16 } from './half.js';

/** A typed array that holds the values of some dtype exactly. */
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** A view of `buffer` as the numbers of a dtype; F16 and BF16 give their bit patterns. Undefined for other dtypes. */
export function viewNumbers(dtype: Dtype, buffer: ArrayBuffer, byteLength: number): NumberArray | undefined {
  switch (dtype) {
    case 'BOOL':
    case 'U8':
      return new Uint8Array(buffer, 0, byteLength);
    case 'I8':
      return new Int8Array(buffer, 0, byteLength);
    case 'I16':
      return new Int16Array(buffer, 0, byteLength / 2);
    case 'U16':
    case 'F16':
    case 'BF16':
      return new Uint16Array(buffer, 0, byteLength / 2);
    case 'I32':
      return new Int32Array(buffer, 0, byteLength / 4);
    case 'U32':
      return new Uint32Array(buffer, 0, byteLength / 4);
    case 'F32':
      return new Float32Array(buffer, 0, byteLength / 4);
    case 'F64':
      return new Float64Array(buffer, 0, byteLength / 8);
    case 'I64':
      return new BigInt64Array(buffer, 0, byteLength / 8);
    case 'U64':
      return new BigUint64Array(buffer, 0, byteLength / 8);
    default:
      return undefined;
  }
}

/** Whether values of a dtype can be read as numbers. */
export function isNumeric(dtype: Dtype): boolean {
  return viewNumbers(dtype, new ArrayBuffer(0), 0) !== undefined;
}

/** Writes the numbers of a dtype as float32 into `out` from `offset`; 64-bit numbers are rounded. */
export function copyAsFloat32(dtype: Dtype, numbers: NumberArray, out: Float32Array, offset: number): void {
  if (numbers instanceof BigInt64Array || numbers instanceof BigUint64Array) {
    for (let i = 0; i < numbers.length; i++) {
      out[offset + i] = Number(numbers[i]);
    }
  } else if (dtype === 'F16' && numbers instanceof Uint16Array) {
    widenF16(numbers, out, offset);
  } else if (dtype === 'BF16' && numbers instanceof Uint16Array) {
    widenBf16(numbers, out, offset);
  } else if (dtype === 'BOOL') {
    for (let i = 0; i < numbers.length; i++) {
      // The format does not check values: any byte but 0 is true, as in NumPy and PyTorch.
      out[offset + i] = numbers[i] === 0 ? 0 : 1;
    }
  } else {
    out.set(numbers, offset);
  }
}
