/** Checks an optimiser state before it replaces that of an engine. */
import { EngineError } from '../base/errors.js';
import { elementCount } from '../base/shape.js';
import type { TensorSpec, TensorSpecs } from './tensor-spec.js';
import type { OptimiserState } from './types.js';

/**
 * Moments of the trained parameters, in the order of `trained`.
 *
 * @throws EngineError when one is missing or has another number of elements than its parameter.
 */
export function orderedMoments(
  { first, second }: OptimiserState,
  specs: TensorSpecs,
  trained: readonly string[],
): { first: Float32Array[]; second: Float32Array[] } {
  const ordered = (moments: ReadonlyMap<string, Float32Array>, which: string) =>
    trained.map((name) => {
      const values = moments.get(name);
      if (!values) throw new EngineError(`the optimiser state has no ${which} moment of ${name}`);
      const count = elementCount((specs.get(name) as TensorSpec).shape);
      if (values.length !== count) {
        throw new EngineError(
          `the ${which} moment of ${name} has ${values.length} elements, the parameter ${count}: ` +
            'the optimiser state is not of this model',
        );
      }
      return values;
    });
  return { first: ordered(first, 'first'), second: ordered(second, 'second') };
}
