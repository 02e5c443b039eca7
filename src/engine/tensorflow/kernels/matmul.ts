/** Products of matrices, by TensorFlow's operator for them: tfjs takes the one for batches, which is slower for small ones. */
import { GEMM } from '../../kernel-names.js';
import { registerTensorflowKernel } from './register.js';

export function registerMatMul(): void {
  registerTensorflowKernel(GEMM, ({ a, b, c }, { transposeA, transposeB, alpha }, t) => {
    const product = t.matMul(a, b, Boolean(transposeA), Boolean(transposeB));
    const scaled = alpha === 1 ? product : t.mul(product, t.number(alpha));
    return [c === undefined ? scaled : t.add(scaled, c)];
  });
}
