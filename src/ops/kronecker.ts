/** The product that sums of Kronecker products are made of: every scaler entry times every template entry. */
import { type Tensor, tf } from '../engine/tf.js';
import { gemm } from './matmul.js';

/**
 * `sum_t scalers[t, b] * templates[t, k]`: all entries of `sum_t T_t (x) S_t`, not yet in the order of the weight.
 *
 * @param scalers `[count, block entries]`
 * @param templates `[count, template entries]`
 * @returns `[block entries, template entries]`
 */
export function outerSum(scalers: Tensor, templates: Tensor): Tensor {
  const op = tf.customGrad((...parameters) => {
    const [s, t, save] = parameters as [Tensor, Tensor, (tensors: Tensor[]) => void];
    save([s, t]);
    return {
      value: gemm(s, t, { transposeA: true }),
      gradFunc: (dy: Tensor, saved: Tensor[]) => {
        const [kept, bank] = saved as [Tensor, Tensor];
        return [gemm(bank, dy, { transposeB: true }), gemm(kept, dy)];
      },
    };
  });
  return op(scalers, templates);
}
