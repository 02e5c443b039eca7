/**
 * Writes a graph with its weights as an ONNX model for other programs, in parts: the weights are not copied, so a model
 * costs its memory once, however it is written. Protobuf allows this, since a message is its fields one after the other,
 * in any order, and a field is its number, its length and its bytes.
 */
import protobuf from 'protobufjs/light.js';
import { littleEndianBytes } from '../../checkpoint/byte-order.js';
import { type FinishedGraph, type GraphConstant, ONNX_TYPE, type SymbolicSize } from './graph.js';
import { GRAPH_FIELD, GraphProto, INITIALIZER_FIELD, ModelProto, RAW_DATA_FIELD, TensorProto } from './onnx-schema.js';
import { nodeMessage, valueMessage } from './onnx-writer.js';

/** What a model says about itself. */
export interface OnnxIdentity {
  /** Of the file format; that of the operator set or newer. */
  readonly irVersion: number;
  /** Version of the standard operators. */
  readonly opset: number;
  readonly producer: { readonly name: string; readonly version: string };
  /** `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Wire type of fields that say their length first. */
const LENGTH_DELIMITED = 2;
const BYTES_PER_NUMBER = { float32: 4, int32: 4, int64: 8, bool: 1 } as const;

/**
 * @param graph of standard operators only
 * @returns the bytes of an ONNX `ModelProto`, one part after the other; weights are views of `graph.constants`.
 */
export function onnxParts(graph: FinishedGraph<SymbolicSize>, about: OnnxIdentity): Uint8Array[] {
  const head = ModelProto.encode({
    irVersion: about.irVersion,
    producerName: about.producer.name,
    producerVersion: about.producer.version,
    opsetImport: [{ domain: '', version: about.opset }],
    metadataProps: [...about.metadata].map(([key, value]) => ({ key, value })),
  }).finish();
  const structure = GraphProto.encode({
    name: about.producer.name,
    node: graph.nodes.map(nodeMessage),
    input: graph.inputs.map(valueMessage),
    output: graph.outputs.map(valueMessage),
  }).finish();
  const weights = graph.constants.flatMap(tensorParts);
  return [head, ...field(GRAPH_FIELD, [structure, ...weights])];
}

function tensorParts({ name, type, shape, bytes }: GraphConstant): Uint8Array[] {
  const about = TensorProto.encode({ name, dims: shape, dataType: ONNX_TYPE[type] }).finish();
  const data = field(RAW_DATA_FIELD, [littleEndianBytes(bytes, BYTES_PER_NUMBER[type])]);
  return field(INITIALIZER_FIELD, [about, ...data]);
}

/** Parts as the content of one field. */
function field(id: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const tag = (id << 3) | LENGTH_DELIMITED;
  return [protobuf.Writer.create().uint32(tag).uint32(partsLength(parts)).finish(), ...parts];
}

/** Bytes of all parts together. */
export function partsLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((total, { byteLength }) => total + byteLength, 0);
}
