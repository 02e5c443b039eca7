/**
 * A tfjs backend that computes nothing: its tensors are symbolic and its kernels record ONNX nodes. Running a program
 * under it, tfjs's automatic differentiation included, writes the whole training step down as one graph.
 */
import { EngineError } from '../../../base/errors.js';
import { elementCount } from '../../../base/shape.js';
import { type Tensor, type TensorInfo, tf } from '../../tf.js';
import { Graph } from '../graph.js';
import { type Symbolic, symbolType } from './symbol.js';

export const TRACE_BACKEND = 'trace';

/**
 * Largest tensor of concrete values that a program may write into the graph: enough for index lists and small tables,
 * far below a weight or an activation, which must come in as parameter or input.
 */
const MAX_CONSTANT_ELEMENTS = 4096;

/** What the recorded graph will run on decides which operators may be used. */
export interface TraceTarget {
  /** onnxruntime's fused CPU operators (matrix products of transposed operands, GELU) are to be had. */
  readonly fusedOperators: boolean;
}

type DataId = TensorInfo['dataId'];
type BackendValues = Parameters<InstanceType<typeof tf.KernelBackend>['write']>[0];
type BackendType = TensorInfo['dtype'];

export class TraceBackend extends tf.KernelBackend {
  #data = new WeakMap<object, Symbolic>();
  #graph: Graph | undefined;
  #target: TraceTarget = { fusedOperators: true };

  /** Starts a new recording. */
  begin(target: TraceTarget): Graph {
    this.#graph = new Graph();
    // Tensors of an earlier recording name values of its graph; in this one the names would stand for other values.
    this.#data = new WeakMap();
    this.#target = target;
    return this.#graph;
  }

  end(): void {
    this.#graph = undefined;
  }

  get graph(): Graph {
    if (!this.#graph)
      throw new EngineError('no program is being compiled: call tf.setBackend before tensor operations of your own');
    return this.#graph;
  }

  get target(): TraceTarget {
    return this.#target;
  }

  /** The symbolic data of a tensor. */
  symbol(tensor: TensorInfo): Symbolic {
    const found = this.#data.get(tensor.dataId);
    if (!found)
      throw new EngineError(
        'a program used a tensor that was made outside of it: pass it as an input or parameter instead',
      );
    return found;
  }

  /** The graph value of a tensor, recorded now if it has none yet. */
  value(tensor: TensorInfo): string {
    const symbol = this.symbol(tensor);
    if (symbol.name !== undefined) return symbol.name;
    const name =
      symbol.fill !== undefined ? this.#filled(symbol, symbol.fill) : this.#constant(symbol, symbol.values ?? []);
    this.#data.set(tensor.dataId, { shape: symbol.shape, dtype: symbol.dtype, name });
    return name;
  }

  /** A new symbolic tensor. */
  make(symbol: Symbolic): TensorInfo {
    const dataId = {} as DataId;
    this.#data.set(dataId, symbol);
    return { dataId, shape: [...symbol.shape], dtype: symbol.dtype };
  }

  /** A tfjs tensor that stands for a graph value. */
  tensor(symbol: Symbolic): Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.make(symbol), this);
  }

  #filled(symbol: Symbolic, fill: number): string {
    const scalar =
      symbol.dtype === 'float32' ? this.graph.scalar(fill) : this.graph.constant(symbol.dtype, [], [Number(fill)]);
    if (symbol.shape.length === 0) return scalar;
    return this.graph.emit('Expand', [scalar, this.graph.integers(symbol.shape)], symbol.shape);
  }

  #constant(symbol: Symbolic, values: ArrayLike<number>): string {
    const count = elementCount(symbol.shape);
    if (count > MAX_CONSTANT_ELEMENTS) {
      throw new EngineError(
        `a program made a constant of ${count} elements (shape [${symbol.shape.join(', ')}]), more than ` +
          `${MAX_CONSTANT_ELEMENTS}: pass it as an input or parameter instead`,
      );
    }
    return this.graph.constant(symbol.dtype, symbol.shape, values);
  }

  // What tfjs asks of a backend.
  override write(values: BackendValues, shape: number[], dtype: BackendType): DataId {
    const dataId = {} as DataId;
    this.#store(dataId, values, shape, dtype);
    return dataId;
  }

  override move(dataId: DataId, values: BackendValues, shape: number[], dtype: BackendType): void {
    this.#store(dataId, values, shape, dtype);
  }

  #store(dataId: DataId, backendValues: BackendValues, shape: readonly number[], dtype: BackendType): void {
    const type = symbolType(dtype);
    const values = backendValues as ArrayLike<number>;
    const fill = commonNumber(values);
    this.#data.set(dataId, fill === undefined ? { shape, dtype: type, values } : { shape, dtype: type, fill });
  }

  override readSync(): never {
    throw new EngineError('a traced program asked for the values of a tensor: programs must be pure tensor functions');
  }

  override async read(): Promise<never> {
    return this.readSync();
  }

  override disposeData(): boolean {
    return true;
  }

  override incRef(): void {}

  override refCount(): number {
    return 1;
  }

  override numDataIds(): number {
    return 0;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  override epsilon(): number {
    return 1e-7;
  }

  override floatPrecision(): 32 {
    return 32;
  }
}

/** The number that all elements equal: `tf.zeros` and `tf.ones` hand over whole arrays, which must not become data. */
function commonNumber(values: ArrayLike<number>): number | undefined {
  const first = values[0];
  if (first === undefined) return undefined;
  for (let i = 1; i < values.length; i++) if (values[i] !== first) return undefined;
  return Number(first);
}

let shared: TraceBackend | undefined;

/** The process's trace backend, registered with tfjs on first use. */
export function traceBackend(): TraceBackend {
  if (!shared) {
    const backend = new TraceBackend();
    tf.registerBackend(TRACE_BACKEND, () => backend);
    shared = backend;
  }
  return shared;
}
