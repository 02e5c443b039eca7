/** Trace kernels that work element by element. */
import { type TensorInfo, tf } from '../../../tf.js';
import { int, ONNX_TYPE } from '../../graph.js';
import { type Recorder, registerTraceKernel } from '../register.js';
import { type SymbolType, symbolType } from '../symbol.js';

const broadcastShape = tf.backend_util.assertAndGetBroadcastShape;

/** A binary operation that numbers can be folded through. */
interface Arithmetic {
  readonly op: string;
  readonly fold: (a: number, b: number) => number;
  /** `x op neutral` is `x`. */
  readonly neutral?: number;
  /** `neutral op x` is `x`, too. */
  readonly commutes?: boolean;
}

const ARITHMETIC: Record<string, Arithmetic> = {
  Add: { op: 'Add', fold: (a, b) => a + b, neutral: 0, commutes: true },
  Sub: { op: 'Sub', fold: (a, b) => a - b, neutral: 0 },
  Multiply: { op: 'Mul', fold: (a, b) => a * b, neutral: 1, commutes: true },
  RealDiv: { op: 'Div', fold: (a, b) => a / b, neutral: 1 },
  Pow: { op: 'Pow', fold: (a, b) => a ** b, neutral: 1 },
  Maximum: { op: 'Max', fold: Math.max },
  Minimum: { op: 'Min', fold: Math.min },
};

const COMPARISONS: Record<string, string> = {
  Greater: 'Greater',
  GreaterEqual: 'GreaterOrEqual',
  Less: 'Less',
  LessEqual: 'LessOrEqual',
  Equal: 'Equal',
};

const UNARY: Record<string, string> = {
  Exp: 'Exp',
  Log: 'Log',
  Sqrt: 'Sqrt',
  Neg: 'Neg',
  Erf: 'Erf',
  Tanh: 'Tanh',
  Sigmoid: 'Sigmoid',
  Relu: 'Relu',
  Abs: 'Abs',
  Sign: 'Sign',
  Sin: 'Sin',
  Cos: 'Cos',
  Softplus: 'Softplus',
  Floor: 'Floor',
};

/**
 * The value to use for an operand: a uniform tensor becomes a scalar where the other operand alone gives the result its
 * shape, so that no whole tensor of equal numbers is ever made.
 */
function operand(recorder: Recorder, tensor: TensorInfo, other: TensorInfo, shape: readonly number[]): string {
  const uniform = recorder.uniform(tensor);
  const otherIsFull = other.shape.length === shape.length && other.shape.every((size, axis) => size === shape[axis]);
  if (uniform === undefined || !otherIsFull) return recorder.value(tensor);
  return recorder.value(recorder.filled([], symbolType(tensor.dtype), uniform));
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function binary(recorder: Recorder, op: string, a: TensorInfo, b: TensorInfo, dtype: SymbolType): TensorInfo {
  const shape = broadcastShape(a.shape, b.shape);
  return recorder.node(op, [operand(recorder, a, b, shape), operand(recorder, b, a, shape)], shape, dtype);
}

function arithmetic(recorder: Recorder, rule: Arithmetic, a: TensorInfo, b: TensorInfo): TensorInfo {
  const shape = broadcastShape(a.shape, b.shape);
  const dtype = symbolType(a.dtype);
  const [left, right] = [recorder.uniform(a), recorder.uniform(b)];
  if (left !== undefined && right !== undefined) return recorder.filled(shape, dtype, rule.fold(left, right));
  if (rule.neutral !== undefined) {
    if (right === rule.neutral && sameShape(a.shape, shape)) return recorder.same(a);
    if (rule.commutes && left === rule.neutral && sameShape(b.shape, shape)) return recorder.same(b);
  }
  return binary(recorder, rule.op, a, b, dtype);
}

/** A number as an element of `dtype`: integers are cut towards zero, anything but zero is true. */
function castNumber(value: number, dtype: SymbolType): number {
  if (dtype === 'float32') return value;
  return dtype === 'bool' ? Number(value !== 0) : Math.trunc(value);
}

export function registerElementwise(): void {
  for (const [kernel, rule] of Object.entries(ARITHMETIC)) {
    registerTraceKernel(kernel, ({ a, b }, _, recorder) => arithmetic(recorder, rule, a, b));
  }
  for (const [kernel, op] of Object.entries(COMPARISONS)) {
    registerTraceKernel(kernel, ({ a, b }, _, recorder) => binary(recorder, op, a, b, 'bool'));
  }
  for (const [kernel, op] of Object.entries(UNARY)) {
    registerTraceKernel(kernel, ({ x }, _, recorder) =>
      recorder.node(op, [recorder.value(x)], x.shape, symbolType(x.dtype)),
    );
  }
  registerTraceKernel('LogicalAnd', ({ a, b }, _, recorder) => binary(recorder, 'And', a, b, 'bool'));
  registerTraceKernel('LogicalOr', ({ a, b }, _, recorder) => binary(recorder, 'Or', a, b, 'bool'));
  registerTraceKernel('LogicalNot', ({ x }, _, recorder) => recorder.node('Not', [recorder.value(x)], x.shape, 'bool'));
  registerTraceKernel('AddN', (inputs, _, recorder) =>
    Object.values(inputs).reduce((sum, term) => arithmetic(recorder, ARITHMETIC.Add as Arithmetic, sum, term)),
  );
  registerTraceKernel('Square', ({ x }, _, recorder) => {
    const value = recorder.value(x);
    return recorder.node('Mul', [value, value], x.shape, symbolType(x.dtype));
  });
  registerTraceKernel('SquaredDifference', ({ a, b }, _, recorder) => {
    const difference = recorder.value(arithmetic(recorder, ARITHMETIC.Sub as Arithmetic, a, b));
    return recorder.node('Mul', [difference, difference], broadcastShape(a.shape, b.shape), symbolType(a.dtype));
  });
  registerTraceKernel('Rsqrt', ({ x }, _, recorder) => {
    const root = recorder.node('Sqrt', [recorder.value(x)], x.shape, 'float32');
    return recorder.node('Reciprocal', [recorder.value(root)], x.shape, 'float32');
  });
  registerTraceKernel('Reciprocal', ({ x }, _, recorder) =>
    recorder.node('Reciprocal', [recorder.value(x)], x.shape, 'float32'),
  );
  registerTraceKernel('Identity', ({ x }, _, recorder) => recorder.same(x));
  registerTraceKernel('Cast', ({ x }, attributes, recorder) => {
    const dtype = symbolType(String(attributes.dtype));
    if (dtype === x.dtype) return recorder.same(x);
    const uniform = recorder.uniform(x);
    if (uniform !== undefined) return recorder.filled(x.shape, dtype, castNumber(uniform, dtype));
    return recorder.node('Cast', [recorder.value(x)], x.shape, dtype, { to: int(ONNX_TYPE[dtype]) });
  });
  registerTraceKernel('Select', ({ condition, t, e }, _, recorder) =>
    recorder.node(
      'Where',
      [condition, t, e].map((x) => recorder.value(x)),
      t.shape,
      symbolType(t.dtype),
    ),
  );
  registerTraceKernel('ClipByValue', ({ x }, { clipValueMin, clipValueMax }, recorder) => {
    const dtype = symbolType(x.dtype);
    const limits = [clipValueMin, clipValueMax].map((limit) =>
      recorder.value(recorder.filled([], dtype, Number(limit))),
    );
    return recorder.node('Clip', [recorder.value(x), ...limits], x.shape, dtype);
  });
  registerTraceKernel('Fill', (_, { shape, value, dtype }, recorder) =>
    recorder.filled(shape as number[], symbolType(String(dtype ?? 'float32')), Number(value)),
  );
  registerTraceKernel('ZerosLike', ({ x }, _, recorder) => recorder.filled(x.shape, symbolType(x.dtype), 0));
  registerTraceKernel('OnesLike', ({ x }, _, recorder) => recorder.filled(x.shape, symbolType(x.dtype), 1));
}
