/** Learning rate over a run: linear warm-up, then a cosine (Loshchilov & Hutter 2017), by step. */

export interface Schedule {
  readonly lr: number;
  readonly minLr: number;
  readonly steps: number;
  readonly warmupSteps: number;
  /** Learning rate of the first step, where there is a warm-up; default: the first part of the rise. */
  readonly warmupLr?: number | undefined;
}

/**
 * The learning rate of one step. Warm-up rises from `lr / warmupSteps` at step 0 to `lr` at step `warmupSteps - 1`, or from
 * `warmupLr` at step 0 to `lr` at step `warmupSteps`; the cosine falls from `lr` to `minLr` at the last step.
 *
 * @param step from 0
 */
export function learningRate({ lr, minLr, steps, warmupSteps, warmupLr }: Schedule, step: number): number {
  if (step < warmupSteps) {
    return warmupLr === undefined ? (lr * (step + 1)) / warmupSteps : warmupLr + ((lr - warmupLr) * step) / warmupSteps;
  }
  const span = Math.max(1, steps - 1 - warmupSteps);
  const progress = Math.min(1, (step - warmupSteps) / span);
  return minLr + 0.5 * (lr - minLr) * (1 + Math.cos(Math.PI * progress));
}
