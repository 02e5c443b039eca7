/** Writes safetensors files: the same tensors and metadata always give the same bytes, whatever their order. */
import { WriteError, writeAtomically } from '../base/atomic-write.js';
import { CheckpointError } from './errors.js';
import { planLayout } from './layout.js';
import { dataBytes, type MemoryTensor, type TensorInput } from './tensor-input.js';

/** Metadata or tensors by name: a `Map` or any list of pairs. */
export type Named<T> = Iterable<readonly [string, T]>;

/** Name in messages about a file that is made in memory. */
const MEMORY_NAME = 'safetensors';

/**
 * The bytes of a safetensors file.
 * @param metadata Text by key; left out of the file when empty.
 * @throws {CheckpointError} for what cannot be written: InvalidTensor, TensorInvalidInfo, DuplicateKey,
 * LimitExceeded, ValidationOverflow, MisalignedSlice, HeaderTooLarge, TensorTooLarge.
 */
export function serializeSafetensors(
  tensors: Named<MemoryTensor>,
  metadata: Named<string> = [],
): Uint8Array<ArrayBuffer> {
  const layout = planLayout(tensors, metadata, MEMORY_NAME);
  let file: Uint8Array<ArrayBuffer>;
  try {
    file = new Uint8Array(layout.fileBytes);
  } catch (error) {
    const problem = `${layout.fileBytes} bytes do not fit the memory at once; write to a file`;
    throw new CheckpointError('TensorTooLarge', MEMORY_NAME, problem, { cause: error });
  }
  file.set(layout.header, 0);
  let position = layout.header.byteLength;
  for (const tensor of layout.tensors) {
    const { data } = tensor.input;
    const bytes = dataBytes(tensor, typeof data === 'function' ? data() : data, tensor.byteLength, MEMORY_NAME);
    file.set(bytes, position);
    position += tensor.byteLength;
  }
  return file;
}

/**
 * Writes a safetensors file atomically: `path` holds the old file whole until the new one is complete and on disk.
 * Tensors are asked for one at a time in the order of the file, and may be read from the very file that is replaced.
 * @param metadata Text by key; left out of the file when empty.
 * @throws {CheckpointError} as {@link serializeSafetensors}, or IoError when the system refuses. Errors thrown by a
 * tensor's function pass through. The old file is then untouched and no temporary file is left.
 */
export async function writeSafetensors(
  path: string,
  tensors: Named<TensorInput>,
  metadata: Named<string> = [],
): Promise<void> {
  const layout = planLayout(tensors, metadata, path);
  try {
    await writeAtomically(path, async (sink) => {
      await sink.write(layout.header);
      for (const tensor of layout.tensors) {
        const { data } = tensor.input;
        const values = typeof data === 'function' ? await data() : data;
        await sink.write(dataBytes(tensor, values, tensor.byteLength, path));
      }
    });
  } catch (error) {
    if (error instanceof WriteError) {
      throw new CheckpointError('IoError', path, error.reason, { cause: error });
    }
    throw error;
  }
}
