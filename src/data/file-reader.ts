/**
 * Reads whole files. Most lie in the system's memory or on a fast disk, where the trips of an asynchronous read to other
 * threads and back take longer than the read: those are read on the spot. As long as that proves slow, files are read
 * side by side instead.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { explainIoError } from '../base/io-error.js';

/** Largest record that is read, bytes; beyond it a file is not an image that anybody trains on. */
export const MOST_BYTES = 512 * 2 ** 20;
/** A read that takes longer is slow, milliseconds. */
const SLOW = 2;
/** Asynchronous reads after a slow one, until another is tried on the spot. */
const PATIENCE = 64;

/** Reads files by their number. */
export class FileReader {
  readonly #pathOf: (index: number) => string;
  /** Asynchronous reads that are left. */
  #patience = 0;

  constructor(pathOf: (index: number) => string) {
    this.#pathOf = pathOf;
  }

  /** @throws Error saying why it cannot be read, without its name. */
  async read(index: number): Promise<Uint8Array> {
    const path = this.#pathOf(index);
    try {
      if (this.#patience > 0) {
        this.#patience--;
        return await readAside(path);
      }
      const start = performance.now();
      const bytes = readAtOnce(path);
      if (performance.now() - start > SLOW) this.#patience = PATIENCE;
      return bytes;
    } catch (error) {
      throw new Error(`cannot be read: ${explainIoError(error)}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    // Nothing stays open.
  }
}

function readAtOnce(path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    checkSize(fstatSync(file).size);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

async function readAside(path: string): Promise<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    checkSize((await handle.stat()).size);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function checkSize(bytes: number): void {
  if (bytes > MOST_BYTES) throw new Error(`it has ${bytes} bytes, the most is ${MOST_BYTES}`);
}
