/** Kernels that reduce over axes. */
import { type Tensor, tf } from '#wave/engine/tf.js';
import { along, at, build, softmax, sum } from '../../support/arrays.js';
import { a, integers, type KernelCase, x } from './case.js';

type Axis = number | number[];
function reduction(
  kernel: string,
  run: (x: Tensor, axis?: Axis, keepDims?: boolean) => Tensor,
  combine: (values: number[]) => number,
): KernelCase[] {
  const cases: [number[] | undefined, boolean][] = [
    [[0], false],
    [[-1], true],
    [[0, 2], false],
    [[1], true],
    [undefined, false],
  ];
  return cases.map(([axes, keep]) => {
    const front = (axes ?? [0, 1, 2]).map((axis) => (axis + 3) % 3);
    const kept = a.shape.map((size, axis) => (front.includes(axis) ? 1 : size));
    const whole = build(kept, (index) => {
      const groups = front.reduce<number[][]>(
        (all, axis) => all.flatMap((i) => along(i, axis, a.shape[axis])),
        [[...index]],
      );
      return combine(groups.map((i) => at(a, i)));
    });
    return {
      kernel,
      of: axes === undefined ? 'all axes' : `axes ${axes.join(', ')}${keep ? ', kept' : ''}`,
      inputs: { a },
      run: (t) => run(t.a, axes, keep),
      expected: { shape: keep ? kept : kept.filter((_, axis) => !front.includes(axis)), values: whole.values },
    };
  });
}

export const mean = (values: number[]): number => sum(values) / values.length;
const lastRow = (index: readonly number[]): number[] => along(index, 2, 4).map((i) => at(a, i));

export const REDUCTIONS: KernelCase[] = [
  ...reduction('Sum', tf.sum, sum),
  ...reduction('Mean', tf.mean, mean),
  ...reduction('Max', tf.max, (values) => Math.max(...values)),
  ...reduction('Min', tf.min, (values) => Math.min(...values)),
  {
    kernel: 'Sum',
    of: 'the rows of a matrix',
    inputs: { x },
    run: (t) => tf.sum(t.x, 0, true),
    expected: build([1, 4], ([, c]) => sum([0, 1, 2].map((r) => at(x, [r, c])))),
  },
  {
    kernel: 'Sum',
    of: 'integers',
    inputs: { n: integers([2, 3], [1, 2, 3, 4, 5, 6]) },
    run: (t) => tf.sum(t.n, 0),
    expected: { shape: [3], values: [5, 7, 9] },
  },
  {
    kernel: 'Softmax',
    of: '[2, 3, 4]',
    inputs: { a },
    run: (t) => tf.softmax(t.a),
    expected: build(a.shape, (index) => softmax(lastRow(index))[index[2]]),
  },
  {
    kernel: 'LogSoftmax',
    of: '[2, 3, 4]',
    inputs: { a },
    run: (t) => tf.engine().runKernel('LogSoftmax', { logits: t.a }, { axis: -1 }),
    expected: build(a.shape, (index) => Math.log(softmax(lastRow(index))[index[2]])),
  },
  ...[0, 1, -1].map((axis): KernelCase => {
    const front = (axis + 3) % 3;
    const shape = a.shape.filter((_, i) => i !== front);
    return {
      kernel: 'ArgMax',
      of: `axis ${axis}`,
      inputs: { a },
      run: (t) => tf.argMax(t.a, axis),
      expected: build(shape, (index) => {
        const whole = [...index.slice(0, front), 0, ...index.slice(front)];
        const values = along(whole, front, a.shape[front]).map((i) => at(a, i));
        return values.indexOf(Math.max(...values));
      }),
    };
  }),
];
