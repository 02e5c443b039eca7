/** Calls of the suite's own kernels where the current backend has them, and whether it does. */
import { GEMM } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';

/** Attributes of a kernel. */
type Attributes = Record<string, number | boolean>;

/** Whether the current tfjs backend has the suite's kernels (src/engine/kernel-names.ts); it has all or none. */
export function hasOwnKernels(): boolean {
  return tf.getKernel(GEMM, tf.getBackend()) != null;
}

/** Runs a kernel with one output. */
export function runKernel(name: string, inputs: Record<string, Tensor>, attributes: Attributes = {}): Tensor {
  return tf.engine().runKernel(name, inputs, attributes);
}

/** Runs a kernel with several outputs. */
export function runKernelMany(name: string, inputs: Record<string, Tensor>, attributes: Attributes = {}): Tensor[] {
  return tf.engine().runKernel(name, inputs, attributes);
}
