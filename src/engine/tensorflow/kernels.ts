/** TensorFlow's own operators as kernels of the suite: those that beat what tfjs would compose. */
import { ADD_BIAS, COLUMN_SUMS } from '../kernel-names.js';
import { type TensorInfo, tf } from '../tf.js';
import { BACKEND, type OpAttribute } from './library.js';
import { attribute, ids, operator } from './operators.js';

let registered = false;

/** Registers the kernels with tfjs, once. The library must be loaded. */
export function registerKernels(): void {
  if (registered) return;
  registered = true;
  const attributes = [attribute.float32('T'), attribute.text('data_format', 'NHWC')];
  register(ADD_BIAS, 'BiasAdd', ['x', 'bias'], attributes);
  register(COLUMN_SUMS, 'BiasAddGrad', ['x'], attributes);
}

function register(
  kernelName: string,
  operatorName: string,
  inputNames: readonly string[],
  attributes: readonly OpAttribute[],
): void {
  tf.registerKernel({
    kernelName,
    backendName: BACKEND,
    kernelFunc: ({ inputs }) =>
      operator(operatorName, ids(inputNames.map((name) => inputs[name] as TensorInfo)), attributes),
  });
}
