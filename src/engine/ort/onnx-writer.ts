/** Writes a finished graph as an ONNX model. */
import { elementCount } from '../../base/shape.js';
import {
  type Attribute,
  type FinishedGraph,
  type GraphNode,
  type GraphValue,
  ONNX_TYPE,
  type SymbolicSize,
} from './graph.js';
import { ModelProto } from './onnx-schema.js';

/** Operator set in use; 20 is the first with a standard Gelu. */
export const OPSET = 20;
export const IR_VERSION = 9;
/** `AttributeProto.AttributeType` by our kinds. */
const ATTRIBUTE_TYPE = { float: 1, int: 2, ints: 7 } as const;
/** `TensorProto.DataLocation.EXTERNAL`. */
const EXTERNAL = 1;

/** The name under which external parameter data is handed to onnxruntime. */
export const EXTERNAL_DATA_FILE = 'parameters.bin';

/** Where a frozen parameter stands in the external data: both in bytes. */
export interface ExternalTensor {
  readonly offset: number;
  readonly length: number;
}

/**
 * @param frozen graph inputs that become constants, with their place in the external data; the data itself is not part
 * of the result.
 * @returns the bytes of an ONNX `ModelProto`.
 */
export function writeOnnx(graph: FinishedGraph, frozen: ReadonlyMap<string, ExternalTensor> = new Map()): Uint8Array {
  const initializers = graph.constants.map(({ name, type, shape, bytes }) => ({
    name,
    dims: shape,
    dataType: ONNX_TYPE[type],
    rawData: bytes,
  }));
  const external = graph.inputs
    .filter((input) => frozen.has(input.name))
    .map(({ name, type, shape }) => ({
      name,
      dims: shape,
      dataType: ONNX_TYPE[type],
      dataLocation: EXTERNAL,
      externalData: externalEntries(frozen.get(name) as ExternalTensor),
    }));
  return ModelProto.encode({
    irVersion: IR_VERSION,
    producerName: 'wave',
    opsetImport: [
      { domain: '', version: OPSET },
      { domain: 'com.microsoft', version: 1 },
    ],
    graph: {
      name: 'wave',
      node: graph.nodes.map(nodeMessage),
      initializer: [...initializers, ...external],
      input: graph.inputs.filter((input) => !frozen.has(input.name)).map(valueMessage),
      output: graph.outputs.map(valueMessage),
    },
  }).finish();
}

/** A node as a `NodeProto`. */
export function nodeMessage(node: GraphNode, index: number) {
  return {
    name: node.name ?? `${node.op}_${index}`,
    opType: node.op,
    domain: node.domain,
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes).map(attribute),
  };
}

function attribute([name, { kind, value }]: [string, Attribute]) {
  const type = ATTRIBUTE_TYPE[kind];
  if (kind === 'float') return { name, type, f: value };
  return kind === 'int' ? { name, type, i: value } : { name, type, ints: value };
}

function externalEntries({ offset, length }: ExternalTensor) {
  return [
    { key: 'location', value: EXTERNAL_DATA_FILE },
    { key: 'offset', value: String(offset) },
    { key: 'length', value: String(length) },
  ];
}

/** A graph's input or output as a `ValueInfoProto`. */
export function valueMessage({ name, type, shape }: GraphValue<SymbolicSize>) {
  const dim = shape.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType: ONNX_TYPE[type], shape: { dim } } } };
}

/** Byte length of a float32 tensor. */
export function float32Bytes(shape: readonly number[]): number {
  return elementCount(shape) * Float32Array.BYTES_PER_ELEMENT;
}
