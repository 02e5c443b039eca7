/** Checks what a caller feeds to a compiled program. */
import { EngineError } from '../base/errors.js';
import { elementCount } from '../base/shape.js';
import type { FedTensor, TensorSpecs, TensorValues } from './tensor-spec.js';

/**
 * Inputs with their shapes.
 *
 * @throws EngineError when one is missing, or has another type or length than the program says.
 */
export function fed(inputs: ReadonlyMap<string, TensorValues>, specs: TensorSpecs): FedTensor[] {
  return [...specs].map(([name, { shape, dtype }]) => {
    const values = inputs.get(name);
    const length = elementCount(shape);
    const fits = dtype === 'int32' ? values instanceof Int32Array : values instanceof Float32Array;
    if (!values || !fits || values.length !== length) {
      throw new EngineError(
        `input ${name} must be ${dtype} [${shape.join(', ')}] (${length} elements), ` +
          `found ${values ? `${values.constructor.name} of ${values.length}` : 'nothing'}`,
      );
    }
    return { name, shape, values };
  });
}
