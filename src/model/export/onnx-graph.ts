/**
 * Records the graph of an ONNX model for other programs. Unlike a traced program's (`engine/ort/graph.ts`), its values
 * have readable names, and the batch has any size, so shapes are not followed.
 */
import { elementCount } from '../../base/shape.js';
import type { Attribute, FinishedGraph, GraphConstant, GraphNode, GraphValue } from '../../engine/ort/graph.js';
import { float, int, ints } from '../../engine/ort/graph.js';

export class OnnxGraph {
  readonly #nodes: GraphNode[] = [];
  readonly #constants = new Map<string, GraphConstant>();
  readonly #tensor: (name: string) => { shape: readonly number[]; values: Float32Array };

  /** @param tensor a weight by its name */
  constructor(tensor: (name: string) => { shape: readonly number[]; values: Float32Array }) {
    this.#tensor = tensor;
  }

  /** A weight as an initializer under its own name, in its own memory. */
  weight(name: string): string {
    if (!this.#constants.has(name)) {
      const { shape, values } = this.#tensor(name);
      if (values.length !== elementCount(shape)) {
        throw new Error(`internal: ${name} has ${values.length} values for shape [${shape}]`);
      }
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      this.#constants.set(name, { name, type: 'float32', shape, bytes });
    }
    return name;
  }

  /** Records a node with one output, which has the node's name. */
  node(
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.nodes(name, op, inputs, [name], attributes)[0] as string;
  }

  /** Records a node with several outputs. */
  nodes(
    name: string,
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
  ): readonly string[] {
    this.#nodes.push({ name, op, domain: '', inputs, outputs, attributes });
    return outputs;
  }

  /** `x W^T + b` with the layer's weights as timm stores them: `[rows, in]` to `[rows, out]`. */
  linear(layer: string, x: string, output = layer): string {
    const inputs = [x, this.weight(`${layer}.weight`), this.weight(`${layer}.bias`)];
    return this.node(output, 'Gemm', inputs, { transB: int(1) });
  }

  /** Layer norm of the last axis. */
  layerNorm(layer: string, x: string, epsilon: number): string {
    const inputs = [x, this.weight(`${layer}.weight`), this.weight(`${layer}.bias`)];
    return this.node(layer, 'LayerNormalization', inputs, { axis: int(-1), epsilon: float(epsilon) });
  }

  /** @param shape -1 stands for what is left, 0 for the size that the input has there */
  reshape(name: string, x: string, shape: readonly number[]): string {
    return this.node(name, 'Reshape', [x, this.integers(shape)]);
  }

  transpose(name: string, x: string, order: readonly number[]): string {
    return this.node(name, 'Transpose', [x], { perm: ints(order) });
  }

  /** Indices from `start` up to, without, `end` along one axis. */
  slice(name: string, x: string, axis: number, start: number, end: number): string {
    return this.node(name, 'Slice', [x, this.integers([start]), this.integers([end]), this.integers([axis])]);
  }

  /** A one-dimensional int64 initializer; equal ones are stored once. */
  integers(values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#small(`integers_${values.join('_')}`, 'int64', [values.length], bytes);
  }

  /** A float32 scalar as an initializer; equal ones are stored once. */
  scalar(value: number): string {
    return this.#small(`scalar_${value}`, 'float32', [], new Uint8Array(Float32Array.of(value).buffer));
  }

  #small(name: string, type: GraphConstant['type'], shape: readonly number[], bytes: Uint8Array): string {
    if (!this.#constants.has(name)) this.#constants.set(name, { name, type, shape, bytes });
    return name;
  }

  finish(
    inputs: readonly GraphValue<number | string>[],
    outputs: readonly GraphValue<number | string>[],
  ): FinishedGraph<number | string> {
    return { nodes: this.#nodes, constants: [...this.#constants.values()], inputs, outputs };
  }
}
