/**
 * tfjs's kernels that only move numbers, for float32. Its own make a tensor of the shape or the axes at every call, which
 * takes longer than the operator: the hundreds of small tensors of a bank go through several of them in a step.
 */
import { type Tensor, tf } from '../../tf.js';
import { BACKEND } from '../library.js';
import { Scratch, type Value } from '../scratch.js';

export function registerShape(): void {
  replace('Reshape', 'shape', (t, x, shape) => t.reshape(x, shape));
  replace('Transpose', 'perm', (t, x, axes) => t.transpose(x, axes));
}

/** Puts `kernel`, which takes the attribute `name`, in the place of tfjs's for float32. */
function replace(
  kernelName: 'Reshape' | 'Transpose',
  name: string,
  kernel: (t: Scratch, x: Value, sizes: readonly number[]) => Value,
): void {
  const theirs = tf.getKernel(kernelName, BACKEND);
  tf.unregisterKernel(kernelName, BACKEND);
  tf.registerKernel({
    ...theirs,
    kernelFunc: (call) => {
      const x = call.inputs.x as Tensor;
      if (x.dtype !== 'float32') return theirs.kernelFunc(call);
      const scratch = new Scratch();
      try {
        const [value] = scratch.tensors([x]) as [Value];
        const [output] = scratch.finish([kernel(scratch, value, call.attrs?.[name] as number[])]) as [Tensor];
        return output;
      } finally {
        scratch.free();
      }
    },
  });
}
