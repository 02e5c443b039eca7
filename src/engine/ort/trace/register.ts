/** How a kernel of the trace backend is declared: a small function from symbolic inputs to recorded nodes. */
import { type TensorInfo, tf } from '../../tf.js';
import type { Attribute, Domain } from '../graph.js';
import { TRACE_BACKEND, type TraceBackend, traceBackend } from './backend.js';
import type { SymbolType } from './symbol.js';

/** Inputs of a kernel by name, as tfjs passes them; lists have the keys "0", "1", ... */
export type KernelInputs = Record<string, TensorInfo>;
/** Attributes of a kernel, as tfjs passes them. Each kernel knows the types of its own. */
export type KernelAttributes = Record<string, unknown>;

export type TraceKernel = (
  inputs: KernelInputs,
  attributes: KernelAttributes,
  recorder: Recorder,
) => TensorInfo | TensorInfo[];

/** What a kernel records with. */
export class Recorder {
  readonly backend: TraceBackend;

  constructor(backend: TraceBackend) {
    this.backend = backend;
  }

  /** The graph value of a tensor. */
  value(tensor: TensorInfo): string {
    return this.backend.value(tensor);
  }

  /** The number that all elements of a tensor are equal to, if that is known. */
  uniform(tensor: TensorInfo): number | undefined {
    return this.backend.symbol(tensor).fill;
  }

  /** A tensor whose elements all equal `fill`; nothing is recorded. */
  filled(shape: readonly number[], dtype: SymbolType, fill: number): TensorInfo {
    return this.backend.make({ shape, dtype, fill });
  }

  /** Another tensor over the same graph value. */
  same(tensor: TensorInfo): TensorInfo {
    return this.backend.make(this.backend.symbol(tensor));
  }

  /** Records one node and wraps its output. */
  node(
    op: string,
    inputs: readonly string[],
    shape: readonly number[],
    dtype: SymbolType,
    attributes: Readonly<Record<string, Attribute>> = {},
    domain: Domain = '',
  ): TensorInfo {
    const name = this.backend.graph.emit(op, inputs, shape, attributes, domain);
    return this.backend.make({ shape, dtype, name });
  }

  /** Records a node with several outputs of the same type. */
  nodes(
    op: string,
    inputs: readonly string[],
    shapes: readonly (readonly number[])[],
    dtype: SymbolType,
    attributes: Readonly<Record<string, Attribute>> = {},
    domain: Domain = '',
  ): TensorInfo[] {
    const names = this.backend.graph.emitMany(op, inputs, shapes, attributes, domain);
    return names.map((name, i) => this.backend.make({ shape: shapes[i] as readonly number[], dtype, name }));
  }
}

/** Registers the trace kernel of `kernelName`. */
export function registerTraceKernel(kernelName: string, kernel: TraceKernel): void {
  const recorder = new Recorder(traceBackend());
  tf.registerKernel({
    kernelName,
    backendName: TRACE_BACKEND,
    kernelFunc: ({ inputs, attrs }) => kernel((inputs ?? {}) as KernelInputs, attrs ?? {}, recorder),
  });
}
