/** Kernels that work element by element. */
import { type Tensor, tf } from '#wave/engine/tf.js';
import { at, build, erf } from '../../support/arrays.js';
import { type Given, given } from '../../support/engine.js';
import { column, integers, type KernelCase, positive, row, steps, unary, x } from './case.js';

function binary(
  kernel: string,
  [left, right]: readonly [Given, Given],
  run: (a: Tensor, b: Tensor) => Tensor,
  element: (a: number, b: number) => number,
): KernelCase {
  const shape = tf.backend_util.assertAndGetBroadcastShape([...left.shape], [...right.shape]);
  return {
    kernel,
    of: `[${left.shape.join(', ')}] and [${right.shape.join(', ')}]`,
    inputs: { left, right },
    run: (tensors) => run(tensors.left, tensors.right),
    expected: build(shape, (index) => element(at(left, index), at(right, index))),
  };
}

const PAIRS: [Given, Given][] = [
  [x, row],
  [column, row],
  [row, x],
];
const float = (tensor: Tensor): Tensor => tf.cast(tensor, 'float32');
const arithmetic = (kernel: string, run: (a: Tensor, b: Tensor) => Tensor, element: (a: number, b: number) => number) =>
  PAIRS.map((pair) => binary(kernel, pair, run, element));
const comparison = (kernel: string, run: (a: Tensor, b: Tensor) => Tensor, holds: (a: number, b: number) => boolean) =>
  [given([4], [-1, 0, 1, 0]), x].map((other) =>
    binary(
      kernel,
      [steps, other],
      (l, r) => float(run(l, r)),
      (l, r) => Number(holds(l, r)),
    ),
  );

export const ELEMENTWISE: KernelCase[] = [
  ...arithmetic('Add', tf.add, (l, r) => l + r),
  ...arithmetic('Sub', tf.sub, (l, r) => l - r),
  ...arithmetic('Multiply', tf.mul, (l, r) => l * r),
  ...arithmetic('RealDiv', tf.div, (l, r) => l / r),
  ...arithmetic('Maximum', tf.maximum, Math.max),
  ...arithmetic('Minimum', tf.minimum, Math.min),
  ...arithmetic('SquaredDifference', tf.squaredDifference, (l, r) => (l - r) ** 2),
  binary('Pow', [positive, row], tf.pow, (l, r) => l ** r),
  ...comparison('Greater', tf.greater, (l, r) => l > r),
  ...comparison('GreaterEqual', tf.greaterEqual, (l, r) => l >= r),
  ...comparison('Less', tf.less, (l, r) => l < r),
  ...comparison('LessEqual', tf.lessEqual, (l, r) => l <= r),
  ...comparison('Equal', tf.equal, (l, r) => l === r),
  binary(
    'LogicalAnd',
    [steps, row],
    (l, r) => float(tf.logicalAnd(tf.greater(l, 0), tf.greater(r, 0))),
    (l, r) => Number(l > 0 && r > 0),
  ),
  binary(
    'LogicalOr',
    [steps, row],
    (l, r) => float(tf.logicalOr(tf.greater(l, 0), tf.greater(r, 0))),
    (l, r) => Number(l > 0 || r > 0),
  ),
  unary(
    'LogicalNot',
    steps,
    (t) => float(tf.logicalNot(tf.greater(t, 0))),
    (v) => Number(v <= 0),
  ),
  unary('Exp', x, tf.exp, Math.exp),
  unary('Log', positive, tf.log, Math.log),
  unary('Sqrt', positive, tf.sqrt, Math.sqrt),
  unary('Rsqrt', positive, tf.rsqrt, (v) => 1 / Math.sqrt(v)),
  unary('Reciprocal', positive, tf.reciprocal, (v) => 1 / v),
  unary('Neg', x, tf.neg, (v) => -v),
  unary('Erf', x, tf.erf, erf),
  unary('Tanh', x, tf.tanh, Math.tanh),
  unary('Sigmoid', x, tf.sigmoid, (v) => 1 / (1 + Math.exp(-v))),
  unary('Relu', x, tf.relu, (v) => Math.max(v, 0)),
  unary('Abs', x, tf.abs, Math.abs),
  unary('Sign', steps, tf.sign, Math.sign),
  unary('Sin', x, tf.sin, Math.sin),
  unary('Cos', x, tf.cos, Math.cos),
  unary('Softplus', x, tf.softplus, (v) => Math.log1p(Math.exp(v))),
  unary('Floor', x, tf.floor, Math.floor),
  unary('Square', x, tf.square, (v) => v * v),
  unary('Identity', x, tf.clone, (v) => v),
  unary('ZerosLike', x, tf.zerosLike, () => 0),
  unary('OnesLike', x, tf.onesLike, () => 1),
  unary(
    'Fill',
    x,
    () => tf.fill([3, 4], 2.5),
    () => 2.5,
  ),
  unary(
    'ClipByValue',
    x,
    (t) => tf.clipByValue(t, -0.5, 1),
    (v) => Math.min(Math.max(v, -0.5), 1),
  ),
  unary(
    'ClipByValue',
    integers([4], [-3, 0, 1, 9]),
    (t) => tf.clipByValue(t, -1, 2),
    (v) => Math.min(Math.max(v, -1), 2),
  ),
  unary('Cast', x, (t) => tf.cast(t, 'int32'), Math.trunc),
  unary(
    'Cast',
    integers([3], [-2, 0, 7]),
    (t) => tf.cast(t, 'float32'),
    (v) => v,
  ),
  unary(
    'Cast',
    steps,
    (t) => float(tf.cast(t, 'bool')),
    (v) => Number(v !== 0),
  ),
  unary(
    'Cast',
    x,
    (t) => tf.add(t, float(tf.cast(tf.fill([4], 0.5), 'bool'))),
    (v) => v + 1,
  ),
  {
    kernel: 'AddN',
    of: 'three tensors',
    inputs: { x, steps, positive },
    run: (t) => tf.addN([t.x, t.steps, t.positive]),
    expected: build([3, 4], (index) => at(x, index) + at(steps, index) + at(positive, index)),
  },
  {
    kernel: 'Select',
    of: 'two tensors by a third',
    inputs: { x, steps, row },
    run: (t) => tf.where(tf.greater(t.steps, 0), t.x, t.row),
    expected: build([3, 4], (index) => (at(steps, index) > 0 ? at(x, index) : at(row, index))),
  },
];
