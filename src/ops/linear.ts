/** Linear layer. */
import { ADD_BIAS, COLUMN_SUMS } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';
import { hasKernel, runKernel } from './kernels.js';
import { gemm } from './matmul.js';

/** Weight `[out, in]` and bias `[out]` of a linear layer. */
export interface Linear {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

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
      value: addBias(gemm(input, w, { transposeB: true }), b),
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => {
          const [savedInput, savedWeight] = saved as [Tensor, Tensor];
          return [gemm(dy, savedWeight), gemm(dy, savedInput, { transposeA: true }), columnSums(dy)];
        }),
    };
  });
  return op(x, weight, bias);
}

/** `linear` of an `x` that no gradient is wanted of: data. */
export function linearOfData(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [w, b, save] = parameters as [Tensor, Tensor, (tensors: Tensor[]) => void];
    save([x]);
    return {
      value: addBias(gemm(x, w, { transposeB: true }), b),
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => [gemm(dy, saved[0] as Tensor, { transposeA: true }), columnSums(dy)]),
    };
  });
  return op(weight, bias);
}

/** `[rows, columns] + [columns]`. Gemm's own operand for it is slower: onnxruntime writes it out as a whole matrix first. */
function addBias(x: Tensor, bias: Tensor): Tensor {
  return hasKernel(ADD_BIAS) ? runKernel(ADD_BIAS, { x, bias }) : tf.add(x, bias);
}

/** `[rows, columns]` to `[columns]`. */
function columnSums(x: Tensor): Tensor {
  return hasKernel(COLUMN_SUMS) ? runKernel(COLUMN_SUMS, { x }) : tf.sum(x, 0);
}
