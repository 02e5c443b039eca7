/** Trace kernels that reduce over axes. */
import { type TensorInfo, tf } from '../../../tf.js';
import { int } from '../../graph.js';
import { type Recorder, registerTraceKernel } from '../register.js';
import { symbolType } from '../symbol.js';

interface Reduction {
  readonly axes: number[];
  readonly shape: number[];
}

function reduction(x: TensorInfo, axis: unknown, keepDims: unknown): Reduction {
  const axes = tf.util.parseAxisParam(axis as number | number[], x.shape);
  const [reduced] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
  return { axes, shape: keepDims ? tf.backend_util.expandShapeToKeepDim(reduced, axes) : reduced };
}

/**
 * Sums `[rows, columns]` over its rows as a product with a row of ones: onnxruntime's matrix-vector product streams the
 * matrix once and is faster than its ReduceSum over a leading axis.
 */
function sumRows(recorder: Recorder, x: TensorInfo, shape: readonly number[]): TensorInfo {
  const [rows, columns] = x.shape as [number, number];
  const ones = recorder.value(recorder.filled([1, rows], 'float32', 1));
  const row = recorder.node('MatMul', [ones, recorder.value(x)], [1, columns], 'float32');
  if (shape.length === 2) return row;
  return recorder.node('Reshape', [recorder.value(row), recorder.backend.graph.integers(shape)], shape, 'float32');
}

function sum(recorder: Recorder, x: TensorInfo, { axes, shape }: Reduction): TensorInfo {
  if (axes.length === 0) return recorder.same(x);
  if (x.dtype === 'float32' && x.shape.length === 2 && axes.length === 1 && axes[0] === 0 && x.shape[1] !== 1) {
    return sumRows(recorder, x, shape);
  }
  const keepdims = int(shape.length === x.shape.length ? 1 : 0);
  const inputs = [recorder.value(x), recorder.backend.graph.integers(axes)];
  return recorder.node('ReduceSum', inputs, shape, symbolType(x.dtype), { keepdims });
}

function reduceWith(op: 'ReduceMean' | 'ReduceMax' | 'ReduceMin') {
  return (recorder: Recorder, x: TensorInfo, { axes, shape }: Reduction): TensorInfo => {
    if (axes.length === 0) return recorder.same(x);
    const keepdims = int(shape.length === x.shape.length ? 1 : 0);
    const inputs = [recorder.value(x), recorder.backend.graph.integers(axes)];
    return recorder.node(op, inputs, shape, symbolType(x.dtype), { keepdims });
  };
}

export function registerReduce(): void {
  registerTraceKernel('Sum', ({ x }, { axis, keepDims }, recorder) => sum(recorder, x, reduction(x, axis, keepDims)));
  for (const [kernel, op] of [
    ['Mean', 'ReduceMean'],
    ['Max', 'ReduceMax'],
    ['Min', 'ReduceMin'],
  ] as const) {
    registerTraceKernel(kernel, ({ x }, { axis, reductionIndices, keepDims }, recorder) =>
      reduceWith(op)(recorder, x, reduction(x, axis ?? reductionIndices, keepDims)),
    );
  }
  registerTraceKernel('Softmax', ({ logits }, { dim }, recorder) =>
    recorder.node('Softmax', [recorder.value(logits)], logits.shape, 'float32', { axis: int(Number(dim)) }),
  );
  registerTraceKernel('LogSoftmax', ({ logits }, { axis }, recorder) =>
    recorder.node('LogSoftmax', [recorder.value(logits)], logits.shape, 'float32', { axis: int(Number(axis)) }),
  );
  registerTraceKernel('ArgMax', ({ x }, { axis }, recorder) => {
    const at = tf.util.parseAxisParam(axis as number, x.shape)[0] as number;
    const shape = x.shape.filter((_, i) => i !== at);
    const index = recorder.backend.graph.emit('ArgMax', [recorder.value(x)], shape, {
      axis: int(at),
      keepdims: int(0),
    });
    return recorder.node('Cast', [index], shape, 'int32', { to: int(6) });
  });
}
