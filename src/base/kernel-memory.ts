/** Kernels of WebAssembly, and the one memory that they work on, which grows with what it is given and never shrinks. */
import { readFileSync } from 'node:fs';

/** WebAssembly's unit of memory, in bytes; as many units are its limit. */
const PAGE = 65_536;

/**
 * The kernels of one thread. Files are compiled when they are first asked for; each imports the memory as `host.memory`, and
 * the exports of all are `Kernels`.
 */
export class KernelMemory<Kernels extends object> {
  readonly #files: readonly URL[];
  #opened: { readonly memory: WebAssembly.Memory; readonly kernels: Kernels } | undefined;

  constructor(...files: readonly URL[]) {
    this.#files = files;
  }

  /**
   * The kernels, with at least so many bytes of memory. A later call may replace the buffer: what was made of an earlier one is
   * then empty.
   */
  open(bytes: number): { readonly kernels: Kernels; readonly buffer: ArrayBuffer } {
    this.#opened ??= start<Kernels>(this.#files);
    const { memory, kernels } = this.#opened;
    const missing = bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    return { kernels, buffer: memory.buffer };
  }
}

function start<Kernels>(files: readonly URL[]) {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGE });
  const exported = files.map((file) => {
    const module = new WebAssembly.Module(readFileSync(file));
    return new WebAssembly.Instance(module, { host: { memory } }).exports;
  });
  return { memory, kernels: Object.assign({}, ...exported) as Kernels };
}
