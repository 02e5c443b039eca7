/** Attributes of TensorFlow's operators, by kind. The library must be loaded. */
import { native, type OpAttribute } from './library.js';

export const attribute = {
  bool: (name: string, value: boolean): OpAttribute => ({ name, type: native().binding.TF_ATTR_BOOL, value }),
  integer: (name: string, value: number): OpAttribute => ({ name, type: native().binding.TF_ATTR_INT, value }),
  text: (name: string, value: string): OpAttribute => ({ name, type: native().binding.TF_ATTR_STRING, value }),
  shape: (name: string, value: readonly number[]): OpAttribute => {
    return { name, type: native().binding.TF_ATTR_SHAPE, value };
  },
  /** The element type int32. */
  int32: (name: string): OpAttribute => {
    const { binding } = native();
    return { name, type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 };
  },
  /** The element type float32. */
  float32: (name: string): OpAttribute => {
    const { binding } = native();
    return { name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT };
  },
};
