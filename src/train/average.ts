/** Exponential moving average (EMA) of parameters: weights that are steadier than those of any single step. */

export interface AverageSettings {
  /** Share of the average that one step keeps. */
  readonly decay: number;
  /** Whether the first steps keep less, so that the start is forgotten soon. */
  readonly warmup: boolean;
}

/**
 * The decay in a step: with warm-up `min(decay, (1 + step) / (10 + step))`, TensorFlow's rule.
 *
 * @param step steps done, from 1
 */
export function averageDecay({ decay, warmup }: AverageSettings, step: number): number {
  return warmup ? Math.min(decay, (1 + step) / (10 + step)) : decay;
}

/** An exponential moving average of parameters (EMA), kept beside the state that is trained. */
export class ParameterAverage {
  readonly #settings: AverageSettings;
  #values: ReadonlyMap<string, Float32Array>;

  /** @param start the parameters before the first step */
  constructor(settings: AverageSettings, start: ReadonlyMap<string, Float32Array>) {
    this.#settings = settings;
    this.#values = copy(start);
  }

  /** By parameter name; later updates change these arrays. */
  get values(): ReadonlyMap<string, Float32Array> {
    return this.#values;
  }

  /** Puts back values that were saved. */
  restore(values: ReadonlyMap<string, Float32Array>): void {
    this.#values = copy(values);
  }

  /**
   * `average += (1 - decay) (parameter - average)`: a parameter that never changes keeps its very bits.
   *
   * @param step steps done, from 1
   */
  update(parameters: ReadonlyMap<string, Float32Array>, step: number): void {
    const share = 1 - averageDecay(this.#settings, step);
    for (const [name, average] of this.#values) {
      const now = parameters.get(name) as Float32Array;
      for (let i = 0; i < average.length; i++) average[i] += share * (now[i] - average[i]);
    }
  }
}

function copy(values: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> {
  return new Map([...values].map(([name, tensor]) => [name, tensor.slice()]));
}
