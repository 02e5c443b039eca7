/** A warning of pixels that are normalised in another way than a model was trained with. */
import type { ModelSpec, Preprocess } from '../model/spec.js';
import type { StageContext } from './context.js';

/**
 * Nothing fails on other pixels; the accuracy is just lower than it should be.
 *
 * @param role what the model is, for the message
 */
export function warnOfOtherPixels(
  { preprocess }: ModelSpec,
  given: Preprocess,
  { emit }: StageContext,
  role = 'model',
): void {
  const differs = (own: readonly number[], other: readonly number[]) => own.join() !== other.join();
  if (!preprocess || !(differs(preprocess.mean, given.mean) || differs(preprocess.std, given.std))) return;
  const text = ({ mean, std }: Preprocess) => `mean [${mean.join(', ')}], std [${std.join(', ')}]`;
  emit({
    type: 'warning',
    text:
      `the ${role} was trained with ${text(preprocess)}, the data block has ${text(given)}, which are used; ` +
      `for the ${role}'s: --set 'data.mean=[${preprocess.mean}]' --set 'data.std=[${preprocess.std}]'`,
  });
}
