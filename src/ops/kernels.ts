/** Calls of the suite's own kernels where the current backend has them, and what it has. */
import { GELU } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';

/** Attributes of a kernel. */
type Attributes = Record<string, number | boolean>;

/** Whether the current tfjs backend has one of the suite's kernels (src/engine/kernel-names.ts). */
export function hasKernel(name: string): boolean {
  return tf.getKernel(name, tf.getBackend()) != null;
}

/**
 * Whether the current backend turns the named ops into fused operators. One that does not pays for every pass over an
 * activation, and ops are then written with as few of them as possible.
 */
export function fusesOps(): boolean {
  return hasKernel(GELU);
}

/** Runs a kernel with one output. */
export function runKernel(name: string, inputs: Record<string, Tensor>, attributes: Attributes = {}): Tensor {
  return tf.engine().runKernel(name, inputs, attributes);
}

/** Runs a kernel with several outputs. */
export function runKernelMany(name: string, inputs: Record<string, Tensor>, attributes: Attributes = {}): Tensor[] {
  return tf.engine().runKernel(name, inputs, attributes);
}
