/** The scalars that change from step to step, as the input of a graph that holds the optimiser. */
import type { AdamWConstants, StepSettings } from '../types.js';

/** Learning rate, 1 - beta1^t, sqrt(1 - beta2^t), largest gradient norm. */
export const STEP_SCALAR_COUNT = 4;
/** Stands for "no clipping": no gradient is that large. */
const UNLIMITED_NORM = 1e30;

/** `step` counts from 1. */
export function stepScalars(
  step: number,
  { learningRate, clipNorm }: StepSettings,
  { beta1, beta2 }: AdamWConstants,
): Float32Array {
  return Float32Array.of(learningRate, 1 - beta1 ** step, Math.sqrt(1 - beta2 ** step), clipNorm ?? UNLIMITED_NORM);
}
