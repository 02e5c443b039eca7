/** All kernels of the suite that the tensorflow backend has. */
import { registerAttention } from './attention.js';
import { registerLinear } from './linear.js';
import { registerMlp } from './mlp.js';

let registered = false;

/** Registers the kernels with tfjs, once. */
export function registerKernels(): void {
  if (registered) return;
  registered = true;
  for (const register of [registerAttention, registerLinear, registerMlp]) register();
}
