/**
 * A computation graph in ONNX terms while it is being recorded. Equal nodes and equal constants are recorded once
 * (common subexpressions), so emitting the same thing twice costs nothing.
 */

/** ONNX element types in use, with their numbers in `TensorProto.DataType`. */
export const ONNX_TYPE = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;
export type GraphType = keyof typeof ONNX_TYPE;

/** A node attribute; ONNX tells integers and floats apart. */
export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'ints'; readonly value: readonly number[] };

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });

/** Operator sets: the ONNX standard and onnxruntime's own. */
export type Domain = '' | 'com.microsoft';

export interface GraphNode {
  /** Absent: made of the operator and the place. */
  readonly name?: string;
  readonly op: string;
  readonly domain: Domain;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface GraphConstant {
  readonly name: string;
  readonly type: GraphType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A size that only a run tells has a name instead of a number. */
export type SymbolicSize = number | string;

/** A typed, shaped name: a graph's input or output. */
export interface GraphValue<Size extends SymbolicSize = number> {
  readonly name: string;
  readonly type: GraphType;
  readonly shape: readonly Size[];
}

/** A finished graph. Nodes are in an order in which they can be run. */
export interface FinishedGraph<Size extends SymbolicSize = number> {
  readonly nodes: readonly GraphNode[];
  readonly constants: readonly GraphConstant[];
  readonly inputs: readonly GraphValue<Size>[];
  readonly outputs: readonly GraphValue<Size>[];
}

export class Graph {
  readonly nodes: GraphNode[] = [];
  readonly constants = new Map<string, GraphConstant>();
  readonly inputs: GraphValue[] = [];
  /** Shapes of all values recorded so far, by name. */
  readonly shapes = new Map<string, readonly number[]>();
  readonly #known = new Map<string, readonly string[]>();
  #counter = 0;

  /** Declares a graph input. */
  input(value: GraphValue): string {
    this.inputs.push(value);
    this.shapes.set(value.name, value.shape);
    return value.name;
  }

  /** Records a node with one output of `shape`, or finds the equal one. */
  emit(
    op: string,
    inputs: readonly string[],
    shape: readonly number[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain: Domain = '',
  ): string {
    return this.emitMany(op, inputs, [shape], attributes, domain)[0] as string;
  }

  /** Records a node with several outputs, or finds the equal one. */
  emitMany(
    op: string,
    inputs: readonly string[],
    shapes: readonly (readonly number[])[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain: Domain = '',
  ): readonly string[] {
    const key = JSON.stringify([domain, op, inputs, attributes, shapes]);
    const known = this.#known.get(key);
    if (known) return known;
    const outputs = shapes.map((shape) => {
      const name = `${op.toLowerCase()}_${this.#counter++}`;
      this.shapes.set(name, shape);
      return name;
    });
    this.nodes.push({ op, domain, inputs, outputs, attributes });
    this.#known.set(key, outputs);
    return outputs;
  }

  /** A float32 scalar constant. */
  scalar(value: number): string {
    return this.#constant('float32', [], new Uint8Array(Float32Array.of(value).buffer));
  }

  /** A one-dimensional int64 constant: shapes, axes, offsets. */
  integers(values: readonly number[]): string {
    return this.#constant('int64', [values.length], new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  /** A constant from values; only for small ones, since they are written into the graph. */
  constant(type: Exclude<GraphType, 'int64'>, shape: readonly number[], values: ArrayLike<number>): string {
    const typed = type === 'float32' ? Float32Array : type === 'int32' ? Int32Array : Uint8Array;
    return this.#constant(type, shape, new Uint8Array(typed.from(values).buffer));
  }

  #constant(type: GraphType, shape: readonly number[], bytes: Uint8Array): string {
    const key = `${type}[${shape.join()}]${Buffer.from(bytes).toString('base64')}`;
    const known = this.constants.get(key);
    if (known) return known.name;
    const name = `constant_${this.constants.size}`;
    this.constants.set(key, { name, type, shape, bytes });
    this.shapes.set(name, shape);
    return name;
  }
}
