/** How a kernel of the tensorflow backend is declared: a list of TensorFlow's operators. */
import { type TensorInfo, tf } from '../../tf.js';
import { BACKEND } from '../library.js';
import { Scratch, type Value } from '../scratch.js';

/** Inputs of a kernel by name. */
export type Values = Record<string, Value>;

/**
 * @param kernel inputs and attributes to outputs, each made by an operator; what else it makes is freed.
 */
export function registerTensorflowKernel(
  kernelName: string,
  kernel: (inputs: Values, attributes: Record<string, number>, scratch: Scratch) => Value[],
): void {
  tf.registerKernel({
    kernelName,
    backendName: BACKEND,
    kernelFunc: ({ inputs, attrs }) => {
      const scratch = new Scratch();
      try {
        const given = scratch.values(inputs as Record<string, TensorInfo>);
        const outputs = scratch.finish(kernel(given, (attrs ?? {}) as Record<string, number>, scratch));
        return outputs.length === 1 ? (outputs[0] as TensorInfo) : outputs;
      } finally {
        scratch.free();
      }
    },
  });
}
