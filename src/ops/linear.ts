/** Linear layer. */
import { ADD_BIAS, COLUMN_SUMS } from '../engine/kernel-names.js';
import { type Tensor, tf } from '../engine/tf.js';
import { hasKernel, runKernel } from './kernels.js';
import { gemm } from './matmul.js';

/**
 * `x W^T + b`.
 *
 * @param x `[rows, in]`
 * @param weight `[out, in]`
 * @param bias `[out]`; absent: 0
 * @returns `[rows, out]`
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const op = tf.customGrad((...parameters) => {
    const save = parameters.pop() as unknown as (tensors: Tensor[]) => void;
    const [input, w, b] = parameters as [Tensor, Tensor, Tensor?];
    save([input, w]);
    const product = gemm(input, w, { transposeB: true });
    return {
      value: b ? addBias(product, b) : product,
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => {
          const [savedInput, savedWeight] = saved as [Tensor, Tensor];
          const products = [gemm(dy, savedWeight), gemm(dy, savedInput, { transposeA: true })];
          return b ? [...products, columnSums(dy)] : products;
        }),
    };
  });
  return bias ? op(x, weight, bias) : op(x, weight);
}

/** `[rows, columns] + [columns]`. Gemm's own operand for it is slower: onnxruntime writes it out as a whole matrix first. */
function addBias(x: Tensor, bias: Tensor): Tensor {
  return hasKernel(ADD_BIAS) ? runKernel(ADD_BIAS, { x, bias }) : tf.add(x, bias);
}

/** `[rows, columns]` to `[columns]`. */
function columnSums(x: Tensor): Tensor {
  return hasKernel(COLUMN_SUMS) ? runKernel(COLUMN_SUMS, { x }) : tf.sum(x, 0);
}
