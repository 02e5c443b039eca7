/** All kernels of the suite that the tensorflow backend has. */
import { registerAttention } from './attention.js';
import { registerLinear } from './linear.js';
import { registerMatMul } from './matmul.js';
import { registerMlp } from './mlp.js';
import { registerShape } from './shape.js';

let registered = false;

/** Registers the kernels with tfjs, once. */
export function registerKernels(): void {
  if (registered) return;
  registered = true;
  for (const register of [registerAttention, registerLinear, registerMatMul, registerMlp, registerShape]) register();
}
