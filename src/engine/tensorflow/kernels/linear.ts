/** The pieces of a linear layer. */
import { ADD_BIAS, COLUMN_SUMS } from '../../kernel-names.js';
import { registerTensorflowKernel } from './register.js';

export function registerLinear(): void {
  registerTensorflowKernel(ADD_BIAS, ({ x, bias }, _, t) => [t.addBias(x, bias)]);
  registerTensorflowKernel(COLUMN_SUMS, ({ x }, _, t) => [t.columnSums(x)]);
}
