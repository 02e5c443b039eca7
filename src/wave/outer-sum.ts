/** The kernel of materialisation on the host (outer-sum.wat) and the memory that it works on. */
import { readFileSync } from 'node:fs';

/** One run of numbers for each template: the first at `start`, each `stride` numbers after the one before. */
export interface Runs {
  readonly start: number;
  readonly stride: number;
  readonly length: number;
}

/** Bytes of a float32, and of a page of WebAssembly memory. */
const NUMBER_BYTES = 4;
const PAGE_BYTES = 65_536;
/** Numbers that the kernel may touch after the end of a part; see outer-sum.wat. */
const SLACK = 4;

type Kernel = (
  out: number,
  x: number,
  xStride: number,
  xLength: number,
  y: number,
  yStride: number,
  yLength: number,
  count: number,
) => void;

let module: WebAssembly.Module | undefined;

/** Memory for the templates and scalers of one tensor and one row of the result. */
export class OuterSum {
  readonly #kernel: Kernel;
  readonly #numbers: Float32Array;
  /** Where the scalers and the row begin, in numbers. */
  #scalers = 0;
  #row = 0;

  /** @param capacity numbers of templates, scalers and row together, of the largest tensor */
  constructor(capacity: number) {
    const pages = Math.ceil(((capacity + 3 * SLACK) * NUMBER_BYTES) / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    module ??= new WebAssembly.Module(readFileSync(new URL('./outer-sum.wasm', import.meta.url)));
    const { outerSum } = new WebAssembly.Instance(module, { host: { memory } }).exports as { outerSum: Kernel };
    this.#kernel = outerSum;
    this.#numbers = new Float32Array(memory.buffer);
  }

  /** Puts the templates and scalers of one tensor into the memory, in place of those before. */
  load(templates: Float32Array, scalers: Float32Array): void {
    this.#scalers = templates.length + SLACK;
    this.#row = this.#scalers + scalers.length + SLACK;
    this.#numbers.set(templates);
    this.#numbers.set(scalers, this.#scalers);
  }

  /**
   * The sum over `count` templates of the outer products of their runs.
   *
   * @param order which of the two is the slower index of the row
   * @returns the row, valid until the next call
   */
  row(templates: Runs, scalers: Runs, count: number, order: 'template-outer' | 'scaler-outer'): Float32Array {
    const given = { ...scalers, start: scalers.start + this.#scalers };
    const [x, y] = order === 'template-outer' ? [templates, given] : [given, templates];
    this.#kernel(
      this.#row * NUMBER_BYTES,
      x.start * NUMBER_BYTES,
      x.stride * NUMBER_BYTES,
      x.length,
      y.start * NUMBER_BYTES,
      y.stride * NUMBER_BYTES,
      y.length,
      count,
    );
    return this.#numbers.subarray(this.#row, this.#row + x.length * y.length);
  }
}
