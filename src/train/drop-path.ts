/** Stochastic depth (Huang et al. 2016): which residual branches a sample skips in a training step. */
import { createRng } from '../base/rng.js';

export interface DropPathOptions {
  readonly depth: number;
  /** Images in the part of the step that is asked for. */
  readonly batch: number;
  /** Which part it is, from 0, where a step is done in parts, and of how many: each has its share of the step's draws. */
  readonly part?: number;
  readonly parts?: number;
  /** Drop rate of the last block; it grows linearly from 0 in the first one (timm's rule). */
  readonly rate: number;
  readonly seed: number;
  readonly step: number;
}

/**
 * Factors of all residual branches, attention and MLP of each block: 0 for a dropped one, else 1 / (1 - rate of the
 * block), so that the expectation is 1. A pure function of seed and step.
 *
 * @returns `[2 * depth, batch]`
 */
export function dropPathFactors(options: DropPathOptions): Float32Array {
  const { depth, batch, rate, seed, step, part = 0, parts = 1 } = options;
  const rng = createRng(seed, 'drop-path', step);
  const factors = new Float32Array(2 * depth * batch);
  for (let branch = 0; branch < 2 * depth; branch++) {
    const block = Math.floor(branch / 2);
    const drop = depth === 1 ? 0 : (rate * block) / (depth - 1);
    for (let sample = 0; sample < parts * batch; sample++) {
      const factor = rng.uniform() < drop ? 0 : 1 / (1 - drop);
      const own = sample - part * batch;
      if (own >= 0 && own < batch) factors[branch * batch + own] = factor;
    }
  }
  return factors;
}
