/** What a case of the kernel tests is, and the arrays that most cases work on. */
import type { Tensor } from '#wave/engine/tf.js';
import { at, build, type Reference } from '../../support/arrays.js';
import { type Given, given } from '../../support/engine.js';
import { uniform } from '../../support/pure-weights.js';

export const random = (name: string, ...shape: number[]): Given =>
  given(
    shape,
    uniform(
      name,
      shape.reduce((total, size) => total * size, 1),
      { scale: 2 },
    ),
  );
export const integers = (shape: readonly number[], values: readonly number[]): Given => ({
  shape,
  values: Int32Array.from(values),
});

/** `[3, 4]`, `[4]` and `[3, 1]`: elementwise kernels must broadcast. */
export const x = random('x', 3, 4);
export const row = random('row', 4);
export const column = random('column', 3, 1);
export const positive = given(
  [3, 4],
  x.values.map((value) => Math.abs(value) + 0.1),
);
export const a = random('a', 2, 3, 4);
/** Equal elements in places, so that comparisons see all three cases. */
export const steps = given(
  [3, 4],
  x.values.map((_, i) => (i % 3) - 1),
);

export interface KernelCase {
  readonly kernel: string;
  readonly of: string;
  readonly inputs: Record<string, Given>;
  readonly run: (tensors: Record<string, Tensor>) => Tensor | Tensor[];
  readonly expected: Reference | Reference[];
}

export const unary = (
  kernel: string,
  input: Given,
  run: (x: Tensor) => Tensor,
  element: (x: number) => number,
): KernelCase => ({
  kernel,
  of: `[${input.shape.join(', ')}]`,
  inputs: { x: input },
  run: (tensors) => run(tensors.x),
  expected: build(input.shape, (index) => element(at(input, index))),
});
