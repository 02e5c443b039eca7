/** Parameters that are made when they are asked for, so that one at a time need be in memory. */
import { elementCount } from '../base/shape.js';
import { parameterShapes } from './parameters.js';
import type { ModelSpec } from './spec.js';

/** Writes all values of the named parameter, row by row, into an array of its size. */
export type Fill = (name: string, out: Float32Array) => void;

/** All of them, by timm name, in the order of `parameterShapes`. */
export function collect(spec: ModelSpec, fill: Fill): Map<string, Float32Array> {
  const values = new Map<string, Float32Array>();
  for (const [name, shape] of parameterShapes(spec)) {
    const parameter = new Float32Array(elementCount(shape));
    fill(name, parameter);
    values.set(name, parameter);
  }
  return values;
}
