/** The error of a step that is no use, the same on every engine. */
import { TrainingError } from '../base/errors.js';

/**
 * @param loss, gradientNorm of the step; at least one of them is not a finite number. Without a norm the loss is to blame.
 */
export function diverged(loss: number, gradientNorm = 0): TrainingError {
  const what = Number.isFinite(loss) ? `gradient norm is ${gradientNorm}` : `loss is ${loss}`;
  return new TrainingError(`${what}: training diverged; lower the learning rate or check the data`);
}
