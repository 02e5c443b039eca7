/** Linear layer. */
import { type Tensor, tf } from '../engine/tf.js';
import { gemm } from './matmul.js';

/**
 * `x W^T + b`.
 *
 * @param x `[rows, in]`
 * @param weight `[out, in]`
 * @param bias `[out]`
 * @returns `[rows, out]`
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [input, w, b, save] = parameters as [Tensor, Tensor, Tensor, (tensors: Tensor[]) => void];
    save([input, w]);
    return {
      // Gemm's own bias operand is slower: onnxruntime writes it out as a whole matrix first.
      value: tf.add(gemm(input, w, { transposeB: true }), b),
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => {
          const [savedInput, savedWeight] = saved as [Tensor, Tensor];
          return [gemm(dy, savedWeight), gemm(dy, savedInput, { transposeA: true }), tf.sum(dy, 0)];
        }),
    };
  });
  return op(x, weight, bias);
}
