/**
 * A resource variable of TensorFlow: a tensor that lives on the device and is changed in place, so that a step allocates
 * nothing for it and the optimiser is one operator. All of it must be called with TensorFlow as tfjs's backend.
 */
import { type Tensor, tf } from '../tf.js';
import { native } from './library.js';
import { attribute, ids, operator, operators } from './operators.js';

/** Tells the variables of this process apart, those that are gone included. */
let created = 0;

export class Variable {
  readonly shape: number[];
  /** Id of the handle, as operators that change the variable take it. */
  readonly handle: number;

  /** @param values are copied; absent: zeros */
  constructor(shape: readonly number[], values?: Float32Array) {
    this.shape = [...shape];
    const { binding } = native();
    const attributes = [
      attribute.text('container', ''),
      attribute.text('shared_name', `wave-${++created}`),
      attribute.float32('dtype'),
      attribute.shape('shape', shape),
    ];
    const [handle] = binding.executeOp('VarHandleOp', attributes, [], 1);
    this.handle = (handle as { id: number }).id;
    if (values) this.write(values);
    else this.assign(tf.fill(this.shape, 0));
  }

  /** The values as they are now; a later change of the variable does not reach them, but costs a copy while they live. */
  tensor(): Tensor {
    return operator('ReadVariableOp', [this.handle], [attribute.float32('dtype')]);
  }

  read(): Float32Array {
    const tensor = this.tensor();
    const values = tensor.dataSync<'float32'>();
    tensor.dispose();
    return values;
  }

  write(values: Float32Array): void {
    // A tensor of values of JavaScript's may be JavaScript's memory; the product is TensorFlow's own.
    const given = tf.tensor(values, this.shape, 'float32');
    this.assign(tf.mul(given, 1));
    given.dispose();
  }

  /** Takes over a tensor, which is disposed of. */
  assign(tensor: Tensor): void {
    operators('AssignVariableOp', [this.handle, ...ids([tensor])], [attribute.float32('dtype')], 0);
    tensor.dispose();
  }

  dispose(): void {
    operators('DestroyResourceOp', [this.handle], [attribute.bool('ignore_lookup_error', true)], 0);
    native().binding.deleteTensor(this.handle);
  }
}
