/** Kernels that move, cut and join. */
import { tf } from '#wave/engine/tf.js';
import { at, build } from '../../support/arrays.js';
import { a, column, integers, type KernelCase, row, steps, x } from './case.js';

export const SHAPES: KernelCase[] = [
  {
    kernel: 'Reshape',
    of: '[2, 3, 4] to [6, -1]',
    inputs: { a },
    run: (t) => tf.reshape(t.a, [6, -1]),
    expected: { shape: [6, 4], values: [...a.values] },
  },
  ...[0, 1, -1].map(
    (axis): KernelCase => ({
      kernel: 'ExpandDims',
      of: `axis ${axis}`,
      inputs: { x },
      run: (t) => tf.expandDims(t.x, axis),
      expected: {
        shape: [
          [1, 3, 4],
          [3, 1, 4],
          [3, 4, 1],
        ].at(axis) as number[],
        values: [...x.values],
      },
    }),
  ),
  {
    kernel: 'Transpose',
    of: 'three axes',
    inputs: { a },
    run: (t) => tf.transpose(t.a, [2, 0, 1]),
    expected: build([4, 2, 3], ([i, j, k]) => at(a, [j, k, i])),
  },
  {
    kernel: 'Tile',
    of: 'two axes',
    inputs: { x },
    run: (t) => tf.tile(t.x, [2, 3]),
    expected: build([6, 12], ([i, j]) => at(x, [i % 3, j % 4])),
  },
  {
    kernel: 'BroadcastTo',
    of: '[4] to [2, 3, 4]',
    inputs: { row },
    run: (t) => tf.engine().runKernel('BroadcastTo', { x: t.row }, { shape: [2, 3, 4] }),
    expected: build([2, 3, 4], (index) => at(row, index)),
  },
  {
    kernel: 'Slice',
    of: 'the middle, to the end of one axis',
    inputs: { a },
    run: (t) => tf.slice(t.a, [1, 0, 1], [1, -1, 2]),
    expected: build([1, 3, 2], ([, j, k]) => at(a, [1, j, k + 1])),
  },
  {
    kernel: 'PadV2',
    of: 'both ends',
    inputs: { x },
    run: (t) =>
      tf.pad(
        t.x,
        [
          [1, 0],
          [2, 1],
        ],
        -7,
      ),
    expected: build([4, 7], ([i, j]) => (i >= 1 && j >= 2 && j < 6 ? at(x, [i - 1, j - 2]) : -7)),
  },
  {
    kernel: 'SplitV',
    of: 'unequal parts of the last axis',
    inputs: { a },
    run: (t) => tf.split(t.a, [1, 3], -1),
    expected: [build([2, 3, 1], ([i, j]) => at(a, [i, j, 0])), build([2, 3, 3], ([i, j, k]) => at(a, [i, j, k + 1]))],
  },
  {
    kernel: 'Concat',
    of: 'unequal parts of the last axis',
    inputs: { x, column },
    run: (t) => tf.concat([t.column, t.x, t.column], -1),
    expected: build([3, 6], ([i, j]) => (j === 0 || j === 5 ? at(column, [i, 0]) : at(x, [i, j - 1]))),
  },
  ...[0, 1].map(
    (axis): KernelCase => ({
      kernel: 'Pack',
      of: `two matrices along axis ${axis}`,
      inputs: { x, steps },
      run: (t) => tf.stack([t.x, t.steps], axis),
      expected: build(axis === 0 ? [2, 3, 4] : [3, 2, 4], (index) =>
        at(
          index[axis] === 0 ? x : steps,
          index.filter((_, i) => i !== axis),
        ),
      ),
    }),
  ),
  {
    kernel: 'GatherV2',
    of: 'columns, by a matrix of numbers',
    inputs: { x, which: integers([2, 2], [3, 0, 0, 2]) },
    run: (t) => tf.gather(t.x, t.which as never, 1),
    expected: build([3, 2, 2], ([i, j, k]) =>
      at(x, [
        i,
        [
          [3, 0],
          [0, 2],
        ][j][k],
      ]),
    ),
  },
];
