/** SHA-256 of bytes, text and files, as lower-case hexadecimal. Used to name parents, configurations and data. */
import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { DataError } from './errors.js';
import { explainIoError } from './io-error.js';
import { printable } from './text.js';

/** Bytes read at a time: large enough to keep the disk busy, small beside any model. */
const CHUNK_BYTES = 1 << 20;

/** SHA-256 of bytes, or of a string's UTF-8 form. */
export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/**
 * SHA-256 of a file's bytes, or of several one after the other, read in pieces so that memory stays flat.
 * @throws {DataError} when a file cannot be read.
 */
export async function sha256File(paths: string | readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of [paths].flat()) await hashFile(path, hash);
  return hash.digest('hex');
}

async function hashFile(path: string, hash: Hash): Promise<void> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  try {
    const handle = await open(path, 'r');
    try {
      let read = await handle.read(chunk, 0, CHUNK_BYTES);
      while (read.bytesRead > 0) {
        hash.update(chunk.subarray(0, read.bytesRead));
        read = await handle.read(chunk, 0, CHUNK_BYTES);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new DataError(`${printable(path)}: cannot be read: ${explainIoError(error)}`, 1, { cause: error });
  }
}
