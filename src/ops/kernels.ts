/** Calls of the suite's own kernels, and whether the current backend has them. */
import { type Tensor, tf } from '../engine/tf.js';

/** Attributes of a kernel. */
type Attributes = Record<string, number | boolean>;

/** Whether the current tfjs backend has one of the suite's kernels (src/engine/kernel-names.ts). */
export function hasKernel(name: string): boolean {
  return tf.getKernel(name, tf.getBackend()) != null;
}

/** Runs a kernel with one output. */
export function runKernel(name: string, inputs: Record<string, Tensor>, attributes: Attributes = {}): Tensor {
  return tf.engine().runKernel(name, inputs, attributes);
}

/** Runs a kernel with several outputs. */
export function runKernelMany(name: string, inputs: Record<string, Tensor>, attributes: Attributes = {}): Tensor[] {
  return tf.engine().runKernel(name, inputs, attributes);
}
