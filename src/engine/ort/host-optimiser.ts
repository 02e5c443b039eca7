/** AdamW on the host, over gradients that the graph has written into the state's memory (kernel: adamw.wat). */
import { readFileSync } from 'node:fs';
import type { AdamWConstants, StepSettings } from '../types.js';
import type { ParameterSlots, Slot } from './state-memory.js';

interface Kernels {
  adamw(
    value: number,
    gradient: number,
    first: number,
    second: number,
    count: number,
    rate: number,
    decay: number,
    beta1: number,
    beta2: number,
    root: number,
    epsilon: number,
    scale: number,
  ): void;
  sumSquares(gradient: number, count: number): number;
}

let module: WebAssembly.Module | undefined;

export class HostOptimiser {
  readonly #constants: AdamWConstants;
  readonly #kernels = new Map<WebAssembly.Memory, Kernels>();

  constructor(constants: AdamWConstants) {
    this.#constants = constants;
  }

  /** 2-norm of all gradients together. */
  gradientNorm(parameters: Iterable<ParameterSlots>): number {
    let sum = 0;
    for (const { gradient } of parameters) {
      if (gradient) sum += this.#on(gradient).sumSquares(gradient.address, gradient.padded);
    }
    return Math.sqrt(sum);
  }

  /**
   * One step over all trained parameters.
   *
   * @param step number of this step, from 1.
   * @param scale factor on every gradient (clipping).
   */
  step(parameters: Iterable<ParameterSlots>, step: number, { learningRate }: StepSettings, scale: number): void {
    const { beta1, beta2, epsilon } = this.#constants;
    const root = Math.sqrt(1 - beta2 ** step);
    for (const { layout, value, gradient, first, second } of parameters) {
      if (!gradient || !first || !second) continue;
      const rate = learningRate * layout.rule.learningRateScale;
      const kernels = this.#on(value);
      kernels.adamw(
        value.address,
        gradient.address,
        first.address,
        second.address,
        value.padded,
        rate / (1 - beta1 ** step),
        1 - rate * layout.rule.weightDecay,
        beta1,
        beta2,
        root,
        epsilon,
        scale,
      );
    }
  }

  #on({ arena }: Slot): Kernels {
    const known = this.#kernels.get(arena);
    if (known) return known;
    module ??= new WebAssembly.Module(readFileSync(new URL('./adamw.wasm', import.meta.url)));
    const kernels = new WebAssembly.Instance(module, { state: { memory: arena } }).exports as unknown as Kernels;
    this.#kernels.set(arena, kernels);
    return kernels;
  }
}
