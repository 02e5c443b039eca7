/** Reads the bytes of several ranges as one stream, so that a slice is converted like a whole tensor. */
import type { ByteSource } from './byte-source.js';
import type { ByteRange } from './slice.js';

export class RangeReader {
  readonly #source: ByteSource;
  readonly #base: number;
  readonly #ranges: Iterator<ByteRange>;
  #begin = 0;
  #end = 0;

  /** @param base Position of the tensor in the source; the ranges count from there. */
  constructor(source: ByteSource, base: number, ranges: Iterable<ByteRange>) {
    this.#source = source;
    this.#base = base;
    this.#ranges = ranges[Symbol.iterator]();
  }

  /** Fills `target` with the next bytes; the caller asks for no more than the ranges hold together. */
  async fill(target: Uint8Array): Promise<void> {
    let done = 0;
    while (done < target.byteLength) {
      if (this.#begin === this.#end) {
        const next = this.#ranges.next();
        if (next.done === true) {
          throw new Error(`internal: ${this.#source.name}: asked for more bytes than the ranges hold`);
        }
        [this.#begin, this.#end] = next.value;
      }
      const length = Math.min(this.#end - this.#begin, target.byteLength - done);
      await this.#source.readInto(target.subarray(done, done + length), this.#base + this.#begin);
      this.#begin += length;
      done += length;
    }
  }
}
