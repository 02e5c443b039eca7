/**
 * A resource variable of TensorFlow: a tensor that lives on the device and is changed in place, so that a step allocates
 * nothing for it and the optimiser is one operator. All of it must be called with TensorFlow as tfjs's backend.
 */
import { elementCount } from '../../base/shape.js';
import type { Tensor } from '../tf.js';
import { attribute } from './attributes.js';
import { native } from './library.js';
import { Scratch, type Value } from './scratch.js';

/** Tells the variables of this process apart, those that are gone included. */
let created = 0;

export class Variable {
  readonly shape: readonly number[];
  /** What operators that change the variable take. */
  readonly handle: Value;

  /** @param values are copied; absent: zeros */
  constructor(shape: readonly number[], values?: Float32Array) {
    this.shape = shape;
    const attributes = [
      attribute.text('container', ''),
      attribute.text('shared_name', `wave-${++created}`),
      attribute.float32('dtype'),
      attribute.shape('shape', shape),
    ];
    this.handle = native().binding.executeOp('VarHandleOp', attributes, [], 1)[0] as Value;
    try {
      this.write(values ?? new Float32Array(elementCount(shape)));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** The values as they are now; a later change of the variable does not reach them, but costs a copy while they live. */
  value(scratch: Scratch): Value {
    return scratch.run('ReadVariableOp', [this.handle], [attribute.float32('dtype')])[0] as Value;
  }

  /** `value` as a tensor of tfjs's. */
  tensor(): Tensor {
    const scratch = new Scratch();
    return scratch.finish([this.value(scratch)])[0] as Tensor;
  }

  read(): Float32Array {
    const scratch = new Scratch();
    try {
      return native().binding.tensorDataSync(this.value(scratch).id) as Float32Array;
    } finally {
      scratch.free();
    }
  }

  write(values: Float32Array): void {
    const scratch = new Scratch();
    try {
      // A tensor of values of JavaScript's may be JavaScript's memory; the product is TensorFlow's own.
      this.assign(scratch, scratch.mul(scratch.given(this.shape, values), scratch.number(1)));
    } finally {
      scratch.free();
    }
  }

  /** Takes over a value, which the scratch has to free before the variable can be changed in place. */
  assign(scratch: Scratch, value: Value): void {
    scratch.run('AssignVariableOp', [this.handle, value], [attribute.float32('dtype')], 0);
  }

  dispose(): void {
    const { binding } = native();
    binding.executeOp('DestroyResourceOp', [attribute.bool('ignore_lookup_error', true)], [this.handle.id], 0);
    binding.deleteTensor(this.handle.id);
  }
}
