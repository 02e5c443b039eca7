/** Reads tensors of one safetensors file or buffer: raw bytes, exact numbers or float32, whole or in slices. */
import { quote } from '../base/text.js';
import { swapToHost } from './byte-order.js';
import type { ByteSource } from './byte-source.js';
import { dtypeBits, dtypeUnitBytes } from './dtypes.js';
import { CheckpointError } from './errors.js';
import type { Header, TensorInfo } from './header.js';
import { CONVERT_BYTES } from './limits.js';
import { copyAsFloat32, isNumeric, type NumberArray, viewNumbers } from './numbers.js';
import { RangeReader } from './range-reader.js';
import { type DimensionSlice, planSlice, type SlicePlan } from './slice.js';

/**
 * An open checkpoint: one file, a sharded model or a buffer. All reads throw {@link CheckpointError}: TensorNotFound,
 * UnsupportedDtype, TensorTooLarge, the codes of a bad slice, IoError, FileChanged, Closed.
 */
export interface SafetensorsReader {
  /** Path as given (the index, for a sharded model in a folder), or the name of the buffer. */
  readonly source: string;
  /** Paths of the files that hold the tensors. */
  readonly files: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  /** By name, in the order of the data; shards in the order of their names. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** What was accepted although the format does not foresee it, one line each with its file. */
  readonly warnings: readonly string[];
  /** The tensor's bytes as they stand in the file (little-endian). */
  readBytes(name: string, slices?: readonly DimensionSlice[]): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * The values as float32, rounded where the dtype is wider: F64 F32 F16 BF16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL.
   */
  readFloat32(name: string, slices?: readonly DimensionSlice[]): Promise<Float32Array<ArrayBuffer>>;
  /** The values exactly, in the typed array of the dtype; F16 and BF16 as Float32Array, BOOL as Uint8Array. */
  readNumbers(name: string, slices?: readonly DimensionSlice[]): Promise<NumberArray>;
  /** Closes the files. Closing twice is harmless. */
  close(): Promise<void>;
}

/** The error for a name that is not in the checkpoint. */
export function tensorNotFound(source: string, name: string): CheckpointError {
  return new CheckpointError('TensorNotFound', source, `holds no tensor ${quote(name)}`);
}

/** A reader over one file or buffer whose header has been checked. */
export class SingleFileReader implements SafetensorsReader {
  readonly source: string;
  readonly files: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly warnings: readonly string[];
  readonly #bytes: ByteSource;
  readonly #dataStart: number;

  constructor(bytes: ByteSource, header: Header) {
    this.source = bytes.name;
    this.files = [bytes.name];
    this.metadata = header.metadata;
    this.tensors = header.tensors;
    this.warnings = header.warnings;
    this.#bytes = bytes;
    this.#dataStart = header.dataStart;
  }

  async readBytes(name: string, slices: readonly DimensionSlice[] = []): Promise<Uint8Array<ArrayBuffer>> {
    const info = this.#find(name);
    const plan = planSlice(info, slices);
    const bytes = allocate(info, () => new Uint8Array(plan.byteLength));
    await this.#rangesOf(info, plan).fill(bytes);
    return bytes;
  }

  async readFloat32(name: string, slices: readonly DimensionSlice[] = []): Promise<Float32Array<ArrayBuffer>> {
    const info = this.#find(name);
    const plan = planSlice(info, slices);
    const out = allocate(info, () => new Float32Array((plan.byteLength * 8) / dtypeBits(info.dtype)));
    const ranges = this.#rangesOf(info, plan);
    if (info.dtype === 'F32') {
      const bytes = new Uint8Array(out.buffer);
      await ranges.fill(bytes);
      swapToHost(bytes, 4);
      return out;
    }
    if (!isNumeric(info.dtype)) {
      throw unsupported(info, 'float32');
    }
    await convert(info, plan.byteLength, ranges, out);
    return out;
  }

  async readNumbers(name: string, slices: readonly DimensionSlice[] = []): Promise<NumberArray> {
    const info = this.#find(name);
    if (info.dtype === 'F16' || info.dtype === 'BF16') {
      return this.readFloat32(name, slices);
    }
    const bytes = await this.readBytes(name, slices);
    swapToHost(bytes, dtypeUnitBytes(info.dtype));
    const numbers = viewNumbers(info.dtype, bytes.buffer, bytes.byteLength);
    if (numbers === undefined) {
      throw unsupported(info, 'numbers');
    }
    return numbers;
  }

  async close(): Promise<void> {
    await this.#bytes.close();
  }

  #find(name: string): TensorInfo {
    const info = this.tensors.get(name);
    if (info === undefined) {
      throw tensorNotFound(this.source, name);
    }
    return info;
  }

  #rangesOf(info: TensorInfo, plan: SlicePlan): RangeReader {
    return new RangeReader(this.#bytes, this.#dataStart + info.dataOffsets[0], plan.ranges());
  }
}

/** Reads and widens piece by piece, so that the bytes need little memory beside the result. */
async function convert(info: TensorInfo, byteLength: number, ranges: RangeReader, out: Float32Array): Promise<void> {
  const piece = new ArrayBuffer(Math.min(byteLength, CONVERT_BYTES));
  let offset = 0;
  for (let done = 0; done < byteLength; done += CONVERT_BYTES) {
    const bytes = new Uint8Array(piece, 0, Math.min(CONVERT_BYTES, byteLength - done));
    await ranges.fill(bytes);
    swapToHost(bytes, dtypeUnitBytes(info.dtype));
    const numbers = viewNumbers(info.dtype, piece, bytes.byteLength);
    if (numbers !== undefined) {
      copyAsFloat32(info.dtype, numbers, out, offset);
      offset += numbers.length;
    }
  }
}

function unsupported(info: TensorInfo, wanted: 'float32' | 'numbers'): CheckpointError {
  const problem = `tensor ${quote(info.name)}: dtype ${info.dtype} cannot be read as ${wanted}; convert it to F32, F16 or BF16 where it was made`;
  return new CheckpointError('UnsupportedDtype', info.file, problem);
}

/** Allocates a result; the size was checked against the file, so a failure means that the tensor is really that large. */
function allocate<T>(info: TensorInfo, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError) {
      const problem = `tensor ${quote(info.name)}: ${info.dtype} [${info.shape}] does not fit the memory at once; read it in slices`;
      throw new CheckpointError('TensorTooLarge', info.file, problem, { cause: error });
    }
    throw error;
  }
}
