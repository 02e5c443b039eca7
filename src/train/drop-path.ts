/** Stochastic depth (Huang et al. 2016): which residual branches a sample skips in a training step. */
import { createRng } from '../base/rng.js';

export interface DropPathOptions {
  readonly depth: number;
  readonly batch: number;
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
export function dropPathFactors({ depth, batch, rate, seed, step }: DropPathOptions): Float32Array {
  const rng = createRng(seed, 'drop-path', step);
  const factors = new Float32Array(2 * depth * batch);
  for (let branch = 0; branch < 2 * depth; branch++) {
    const block = Math.floor(branch / 2);
    const drop = depth === 1 ? 0 : (rate * block) / (depth - 1);
    for (let sample = 0; sample < batch; sample++) {
      factors[branch * batch + sample] = rng.uniform() < drop ? 0 : 1 / (1 - drop);
    }
  }
  return factors;
}
