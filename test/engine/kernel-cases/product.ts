/** Matrix products and the kernels of the named ops. */
import { BATCHED_MATMUL, GELU, GEMM, LAYER_NORM } from '#wave/engine/kernel-names.js';
import { tf } from '#wave/engine/tf.js';
import { at, build, erf, product, sum } from '../../support/arrays.js';
import type { Given } from '../../support/engine.js';
import { type KernelCase, random, row, unary, x } from './case.js';
import { mean } from './reduce.js';

const swap = (transposed: boolean, i: number, j: number): [number, number] => (transposed ? [j, i] : [i, j]);
const BOTH = [false, true];

export const PRODUCTS: KernelCase[] = BOTH.flatMap((transposeA) =>
  BOTH.flatMap((transposeB): KernelCase[] => {
    const left = transposeA ? random('left', 4, 3) : random('left', 3, 4);
    const right = transposeB ? random('right', 5, 4) : random('right', 4, 5);
    const stack = transposeA ? random('stack', 2, 4, 3) : random('stack', 2, 3, 4);
    const of = `${transposeA ? 'transposed' : 'plain'} and ${transposeB ? 'transposed' : 'plain'} matrices`;
    const c = random('c', 3, 5);
    const matrix = product(
      [3, 4, 5],
      (i, k) => at(left, swap(transposeA, i, k)),
      (k, j) => at(right, swap(transposeB, k, j)),
    );
    return [
      {
        kernel: 'BatchMatMul',
        of,
        inputs: { stack, right },
        run: (t) => tf.matMul(t.stack, tf.expandDims(t.right, 0), transposeA, transposeB),
        expected: build([2, 3, 5], ([n, i, j]) =>
          sum([0, 1, 2, 3].map((k) => at(stack, [n, ...swap(transposeA, i, k)]) * at(right, swap(transposeB, k, j)))),
        ),
      },
      {
        kernel: GEMM,
        of: `${of}, scaled, plus a matrix`,
        inputs: { left, right, c },
        run: (t) =>
          tf.engine().runKernel(GEMM, { a: t.left, b: t.right, c: t.c }, { transposeA, transposeB, alpha: 0.5 }),
        expected: build([3, 5], (index) => 0.5 * at(matrix, index) + at(c, index)),
      },
      ...BOTH.flatMap((rowsFirstA) =>
        BOTH.map((rowsFirstB) => batched({ transposeA, transposeB, rowsFirstA, rowsFirstB })),
      ),
    ];
  }),
);

interface Batched {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly rowsFirstA: boolean;
  readonly rowsFirstB: boolean;
}

/** `[2, 3]` batches of `[4, 5] x [5, 6]`, stored in every way. */
function batched(options: Batched): KernelCase {
  const { transposeA, transposeB, rowsFirstA, rowsFirstB } = options;
  const stored = (name: string, rows: number, columns: number, rowsFirst: boolean): Given =>
    rowsFirst ? random(name, rows, 2, 3, columns) : random(name, 2, 3, rows, columns);
  const left = stored('left', ...swap(transposeA, 4, 5), rowsFirstA);
  const right = stored('right', ...swap(transposeB, 5, 6), rowsFirstB);
  const read = (from: Given, rowsFirst: boolean, [m, n]: readonly number[], [i, j]: readonly number[]): number =>
    at(from, rowsFirst ? [i, m, n, j] : [m, n, i, j]);
  return {
    kernel: BATCHED_MATMUL,
    of:
      Object.entries(options)
        .flatMap(([name, on]) => (on ? [name] : []))
        .join(', ') || 'plain operands',
    inputs: { left, right },
    run: (t) => tf.engine().runKernel(BATCHED_MATMUL, { a: t.left, b: t.right }, { ...options, alpha: 0.25 }),
    expected: build([2, 3, 4, 6], ([m, n, i, j]) =>
      sum(
        [0, 1, 2, 3, 4].map(
          (k) =>
            0.25 *
            read(left, rowsFirstA, [m, n], swap(transposeA, i, k)) *
            read(right, rowsFirstB, [m, n], swap(transposeB, k, j)),
        ),
      ),
    ),
  };
}

const scale = random('scale', 4);
const rowMean = (r: number): number => mean([0, 1, 2, 3].map((c) => at(x, [r, c])));
const rowInverse = (r: number): number =>
  1 / Math.sqrt(mean([0, 1, 2, 3].map((c) => (at(x, [r, c]) - rowMean(r)) ** 2)) + 1e-3);

export const NAMED: KernelCase[] = [
  {
    kernel: LAYER_NORM,
    of: '[3, 4]',
    inputs: { x, scale, bias: row },
    run: (t) => tf.engine().runKernel(LAYER_NORM, { x: t.x, scale: t.scale, bias: t.bias }, { epsilon: 1e-3 }),
    expected: [
      build([3, 4], ([r, c]) => (at(x, [r, c]) - rowMean(r)) * rowInverse(r) * at(scale, [c]) + at(row, [c])),
      build([3, 1], ([r]) => rowMean(r)),
      build([3, 1], ([r]) => rowInverse(r)),
    ],
  },
  unary(
    GELU,
    x,
    (t) => tf.engine().runKernel(GELU, { x: t }),
    (v) => (v * (1 + erf(v * Math.SQRT1_2))) / 2,
  ),
];
