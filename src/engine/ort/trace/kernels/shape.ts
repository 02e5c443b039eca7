/** Trace kernels that move, cut and join without computing. */
import { EngineError } from '../../../../base/errors.js';
import { elementCount } from '../../../../base/shape.js';
import { type TensorInfo, tf } from '../../../tf.js';
import { int, ints } from '../../graph.js';
import { type Recorder, registerTraceKernel } from '../register.js';
import { symbolType } from '../symbol.js';

function reshape(recorder: Recorder, x: TensorInfo, shape: readonly number[]): TensorInfo {
  const dtype = symbolType(x.dtype);
  const uniform = recorder.uniform(x);
  if (uniform !== undefined) return recorder.filled(shape, dtype, uniform);
  if (shape.length === x.shape.length && shape.every((size, axis) => size === x.shape[axis])) return recorder.same(x);
  return recorder.node('Reshape', [recorder.value(x), recorder.backend.graph.integers(shape)], shape, dtype);
}

/** `axis`, which may count from the end, as an index from the front. */
function frontAxis(axis: unknown, shape: readonly number[]): number {
  return tf.util.parseAxisParam(axis as number, [...shape])[0] as number;
}

export function registerShape(): void {
  registerTraceKernel('Reshape', ({ x }, { shape }, recorder) =>
    reshape(recorder, x, tf.util.inferFromImplicitShape(shape as number[], elementCount(x.shape))),
  );
  registerTraceKernel('ExpandDims', ({ input }, { dim }, recorder) => {
    const shape = [...input.shape];
    const at = Number(dim);
    shape.splice(at < 0 ? shape.length + 1 + at : at, 0, 1);
    return reshape(recorder, input, shape);
  });
  registerTraceKernel('Transpose', ({ x }, { perm }, recorder) => {
    const order = perm as number[];
    const shape = order.map((axis) => x.shape[axis] as number);
    const uniform = recorder.uniform(x);
    if (uniform !== undefined) return recorder.filled(shape, symbolType(x.dtype), uniform);
    return recorder.node('Transpose', [recorder.value(x)], shape, symbolType(x.dtype), { perm: ints(order) });
  });
  registerTraceKernel('Tile', ({ x }, { reps }, recorder) => {
    const shape = x.shape.map((size, axis) => size * ((reps as number[])[axis] as number));
    const uniform = recorder.uniform(x);
    if (uniform !== undefined) return recorder.filled(shape, symbolType(x.dtype), uniform);
    const counts = recorder.backend.graph.integers(reps as number[]);
    return recorder.node('Tile', [recorder.value(x), counts], shape, symbolType(x.dtype));
  });
  registerTraceKernel('BroadcastTo', ({ x }, { shape }, recorder) => {
    const size = shape as number[];
    return recorder.node(
      'Expand',
      [recorder.value(x), recorder.backend.graph.integers(size)],
      size,
      symbolType(x.dtype),
    );
  });
  registerTraceKernel('Slice', ({ x }, { begin, size }, recorder) => {
    const begins = [begin as number | number[]].flat();
    const lengths = [size as number | number[]].flat();
    const starts = x.shape.map((_, axis) => begins[axis] ?? 0);
    const sizes = x.shape.map((whole, axis) => {
      const length = lengths[axis] ?? -1;
      return length === -1 ? whole - (starts[axis] as number) : length;
    });
    const uniform = recorder.uniform(x);
    if (uniform !== undefined) return recorder.filled(sizes, symbolType(x.dtype), uniform);
    const { graph } = recorder.backend;
    const ends = starts.map((start, axis) => start + (sizes[axis] as number));
    const axes = starts.map((_, axis) => axis);
    const bounds = [starts, ends, axes].map((list) => graph.integers(list));
    return recorder.node('Slice', [recorder.value(x), ...bounds], sizes, symbolType(x.dtype));
  });
  registerTraceKernel('PadV2', ({ x }, { paddings, constantValue }, recorder) => {
    const pairs = paddings as [number, number][];
    const shape = x.shape.map((size, axis) => size + (pairs[axis]?.[0] ?? 0) + (pairs[axis]?.[1] ?? 0));
    const pads = [...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)];
    const fill = recorder.value(recorder.filled([], symbolType(x.dtype), Number(constantValue)));
    return recorder.node(
      'Pad',
      [recorder.value(x), recorder.backend.graph.integers(pads), fill],
      shape,
      symbolType(x.dtype),
    );
  });
  registerTraceKernel('SplitV', ({ x }, { numOrSizeSplits, axis }, recorder) => {
    const at = frontAxis(axis, x.shape);
    const sizes = tf.backend_util.prepareSplitSize(
      { shape: x.shape } as Parameters<typeof tf.backend_util.prepareSplitSize>[0],
      numOrSizeSplits as number[] | number,
      at,
    );
    const shapes = sizes.map((size) => x.shape.map((whole, i) => (i === at ? size : whole)));
    const counts = recorder.backend.graph.integers(sizes);
    return recorder.nodes('Split', [recorder.value(x), counts], shapes, symbolType(x.dtype), { axis: int(at) });
  });
  registerTraceKernel('Concat', (inputs, { axis }, recorder) => {
    const parts = Object.values(inputs);
    const first = parts[0] as TensorInfo;
    if (parts.length === 1) return recorder.same(first);
    const at = frontAxis(axis, first.shape);
    const shape = [...first.shape];
    shape[at] = parts.reduce((sum, part) => sum + (part.shape[at] as number), 0);
    const values = parts.map((part) => recorder.value(part));
    return recorder.node('Concat', values, shape, symbolType(first.dtype), { axis: int(at) });
  });
  registerTraceKernel('Pack', (inputs, { axis }, recorder) => {
    const parts = Object.values(inputs);
    const first = parts[0] as TensorInfo;
    const at = Number(axis) < 0 ? Number(axis) + first.shape.length + 1 : Number(axis);
    const single = [...first.shape.slice(0, at), 1, ...first.shape.slice(at)];
    const values = parts.map((part) => recorder.value(reshape(recorder, part, single)));
    const shape = single.map((size, i) => (i === at ? parts.length : size));
    return recorder.node('Concat', values, shape, symbolType(first.dtype), { axis: int(at) });
  });
  registerTraceKernel('GatherV2', ({ x, indices }, { axis, batchDims }, recorder) => {
    if (Number(batchDims ?? 0) !== 0) {
      throw new EngineError('tf.gather with batchDims is not supported by engine ort: gather from a reshaped tensor');
    }
    const at = frontAxis(axis, x.shape);
    const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
    const values = [recorder.value(x), recorder.value(indices)];
    return recorder.node('Gather', values, shape, symbolType(x.dtype), { axis: int(at) });
  });
}
