/** Where a reader takes its bytes from: a range of a file, or a buffer. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { errorCodeOf, explainIoError } from '../base/io-error.js';
import { CheckpointError } from './errors.js';
import { MAX_READ_BYTES } from './limits.js';

export interface ByteSource {
  /** Path of the file or name of the buffer, for messages. */
  readonly name: string;
  /** Size in bytes when it was opened. */
  readonly size: number;
  /**
   * Fills `target` with the bytes from `position` on.
   * @throws {CheckpointError} IoError, FileChanged or Closed.
   */
  readInto(target: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/** A `CheckpointError` for a failed system call, with the reason in plain words. */
export function ioError(error: unknown, path: string, action: 'read' | 'written'): CheckpointError {
  const code = errorCodeOf(error) === 'ENOENT' ? 'FileNotFound' : 'IoError';
  return new CheckpointError(code, path, `cannot be ${action}: ${explainIoError(error)}`, { cause: error });
}

/**
 * Opens a regular file for reads by position.
 * @throws {CheckpointError} FileNotFound or IoError; a pipe or device is refused because it has no positions.
 */
export async function openFileSource(path: string): Promise<ByteSource> {
  let handle: FileHandle | undefined;
  try {
    // Asked before opening, because opening a pipe that nobody writes to would wait for ever.
    if (!(await stat(path)).isFile()) {
      throw new CheckpointError('IoError', path, 'cannot be read: is a pipe or device; save it to a file first');
    }
    handle = await open(path, 'r');
    return new FileSource(path, handle, (await handle.stat()).size);
  } catch (error) {
    await handle?.close();
    throw error instanceof CheckpointError ? error : ioError(error, path, 'read');
  }
}

class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  #handle: FileHandle | undefined;

  constructor(name: string, handle: FileHandle, size: number) {
    this.name = name;
    this.#handle = handle;
    this.size = size;
  }

  async readInto(target: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < target.byteLength) {
      const length = Math.min(target.byteLength - done, MAX_READ_BYTES);
      const bytesRead = await this.#read(target, done, length, position + done);
      if (bytesRead === 0) {
        throw new CheckpointError('FileChanged', this.name, 'became shorter while it was read; do not write to it');
      }
      done += bytesRead;
    }
  }

  async #read(target: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    if (this.#handle === undefined) {
      throw new CheckpointError('Closed', this.name, 'was read after it was closed');
    }
    try {
      return (await this.#handle.read(target, offset, length, position)).bytesRead;
    } catch (error) {
      throw ioError(error, this.name, 'read');
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

/** A source over bytes in memory, which must not change while it is in use. */
export class MemorySource implements ByteSource {
  readonly name: string;
  readonly size: number;
  #bytes: Uint8Array | undefined;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.#bytes = bytes;
    this.size = bytes.byteLength;
  }

  async readInto(target: Uint8Array, position: number): Promise<void> {
    if (this.#bytes === undefined) {
      throw new CheckpointError('Closed', this.name, 'was read after it was closed');
    }
    target.set(this.#bytes.subarray(position, position + target.byteLength));
  }

  async close(): Promise<void> {
    this.#bytes = undefined;
  }
}
