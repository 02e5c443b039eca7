/**
 * Calls of TensorFlow's own operators, for what tfjs has no kernel for. All of it must be called with TensorFlow as
 * tfjs's backend.
 */
import type { Tensor, TensorInfo } from '../tf.js';
import { native, type OpAttribute } from './library.js';

/** Attributes of operators, by kind. */
export const attribute = {
  bool: (name: string, value: boolean): OpAttribute => ({ name, type: native().binding.TF_ATTR_BOOL, value }),
  text: (name: string, value: string): OpAttribute => ({ name, type: native().binding.TF_ATTR_STRING, value }),
  shape: (name: string, value: readonly number[]): OpAttribute => {
    return { name, type: native().binding.TF_ATTR_SHAPE, value };
  },
  /** The element type float32. */
  float32: (name: string): OpAttribute => {
    const { binding } = native();
    return { name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT };
  },
};

/** Ids under which TensorFlow knows tensors; it is given those that it has not seen. */
export function ids(tensors: readonly TensorInfo[]): number[] {
  return native().getInputTensorIds(tensors);
}

/** Runs an operator with one output. */
export function operator(name: string, inputs: readonly number[], attributes: readonly OpAttribute[]): Tensor {
  const [tensor] = operators(name, inputs, attributes, 1);
  return tensor as Tensor;
}

/** Runs an operator. */
export function operators(
  name: string,
  inputs: readonly number[],
  attributes: readonly OpAttribute[],
  outputs: number,
): Tensor[] {
  const backend = native();
  const made = backend.binding.executeOp(name, attributes, inputs, outputs);
  return made.map((output) => backend.createOutputTensor(output) as Tensor);
}
