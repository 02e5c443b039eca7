/** From the mean and deviation of a configuration to those of a model's spec. */
import type { Preprocess } from './spec.js';

/** One value may stand for all channels. */
export function preprocessFor(mean: readonly number[], std: readonly number[], channels: number): Preprocess {
  const spread = (values: readonly number[]): number[] =>
    Array.from({ length: channels }, (_, channel) => values[values.length === 1 ? 0 : channel]);
  return { mean: spread(mean), std: spread(std) };
}
