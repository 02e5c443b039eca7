/** Trace kernels of matrix products: tfjs's own and the two that the suite's named ops use. */

import { BATCHED_MATMUL, GEMM } from '../../../kernel-names.js';
import { type TensorInfo, tf } from '../../../tf.js';
import { type Attribute, float, int } from '../../graph.js';
import { type Recorder, registerTraceKernel } from '../register.js';

const broadcastShape = tf.backend_util.assertAndGetBroadcastShape;

/** How one operand of a batched product is stored. */
interface OperandLayout {
  /** The last two axes are swapped. */
  readonly transposed: boolean;
  /** The matrix's rows are the first axis and the batch axes follow: `[rows, ...batch, columns]`. */
  readonly rowsFirst: boolean;
}

interface Product {
  readonly a: OperandLayout;
  readonly b: OperandLayout;
  readonly alpha: number;
}

/** `[rows, ...batch, columns]` as `[...batch, rows, columns]`; other layouts unchanged. */
function batchFirst(shape: readonly number[], layout: OperandLayout): number[] {
  if (!layout.rowsFirst) return [...shape];
  return [...shape.slice(1, -1), shape[0] as number, shape[shape.length - 1] as number];
}

function matrixSize(shape: readonly number[], layout: OperandLayout): [number, number] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return layout.transposed ? [columns, rows] : [rows, columns];
}

/** Product of two batches of matrices, `alpha * op(a) op(b)`, to `[...batch, rows, columns]`. */
function product(
  recorder: Recorder,
  a: TensorInfo,
  b: TensorInfo,
  { a: layoutA, b: layoutB, alpha }: Product,
): TensorInfo {
  const [shapeA, shapeB] = [batchFirst(a.shape, layoutA), batchFirst(b.shape, layoutB)];
  const batch = broadcastShape(shapeA.slice(0, -2), shapeB.slice(0, -2));
  const shape = [...batch, matrixSize(shapeA, layoutA)[0], matrixSize(shapeB, layoutB)[1]];
  const plain = [layoutA, layoutB].every((layout) => !layout.transposed && !layout.rowsFirst) && alpha === 1;
  if (plain) return recorder.node('MatMul', [recorder.value(a), recorder.value(b)], shape, 'float32');
  if (recorder.backend.target.fusedOperators) {
    const attributes = {
      transA: int(layoutA.transposed ? 1 : 0),
      transB: int(layoutB.transposed ? 1 : 0),
      transBatchA: int(layoutA.rowsFirst ? 1 : 0),
      transBatchB: int(layoutB.rowsFirst ? 1 : 0),
      alpha: float(alpha),
    };
    return recorder.node(
      'FusedMatMul',
      [recorder.value(a), recorder.value(b)],
      shape,
      'float32',
      attributes,
      'com.microsoft',
    );
  }
  const operands = [standard(recorder, a, layoutA), standard(recorder, b, layoutB)];
  const result = recorder.node('MatMul', operands, shape, 'float32');
  if (alpha === 1) return result;
  const factor = recorder.value(recorder.filled([], 'float32', alpha));
  return recorder.node('Mul', [recorder.value(result), factor], shape, 'float32');
}

/** The operand as `[...batch, rows, columns]`, by an explicit transposition where needed. */
function standard(recorder: Recorder, x: TensorInfo, layout: OperandLayout): string {
  const axes = x.shape.map((_, axis) => axis);
  const order = layout.rowsFirst ? batchFirst(axes, layout) : axes;
  if (layout.transposed) order.push(...(order.splice(-2) as [number, number]).reverse());
  if (order.every((axis, i) => axis === i)) return recorder.value(x);
  const shape = order.map((axis) => x.shape[axis] as number);
  const attributes: Record<string, Attribute> = { perm: { kind: 'ints', value: order } };
  return recorder.value(recorder.node('Transpose', [recorder.value(x)], shape, 'float32', attributes));
}

export function registerMatMul(): void {
  registerTraceKernel('BatchMatMul', ({ a, b }, { transposeA, transposeB }, recorder) =>
    product(recorder, a, b, {
      a: { transposed: Boolean(transposeA), rowsFirst: false },
      b: { transposed: Boolean(transposeB), rowsFirst: false },
      alpha: 1,
    }),
  );
  registerTraceKernel(BATCHED_MATMUL, ({ a, b }, attributes, recorder) =>
    product(recorder, a, b, {
      a: { transposed: Boolean(attributes.transposeA), rowsFirst: Boolean(attributes.rowsFirstA) },
      b: { transposed: Boolean(attributes.transposeB), rowsFirst: Boolean(attributes.rowsFirstB) },
      alpha: Number(attributes.alpha),
    }),
  );
  registerTraceKernel(GEMM, ({ a, b, c }, { transposeA, transposeB, alpha }, recorder) => {
    const [rows] = matrixSize(a.shape, { transposed: Boolean(transposeA), rowsFirst: false });
    const [, columns] = matrixSize(b.shape, { transposed: Boolean(transposeB), rowsFirst: false });
    const inputs = [a, b, ...(c ? [c] : [])].map((x) => recorder.value(x));
    return recorder.node('Gemm', inputs, [rows, columns], 'float32', {
      transA: int(transposeA ? 1 : 0),
      transB: int(transposeB ? 1 : 0),
      alpha: float(Number(alpha)),
    });
  });
}
