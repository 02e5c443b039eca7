/** What an ONNX file says of itself that onnxruntime does not tell: metadata, operator set, sizes and places of weights. */
import { posix, win32 } from 'node:path';
import { elementCount } from '../../base/shape.js';
import { quote } from '../../base/text.js';
import { CheckpointError } from '../../checkpoint/errors.js';
import { recogniseForeign } from '../../checkpoint/foreign.js';
import { ModelProto } from './onnx-schema.js';

export interface OnnxHeader {
  /** `metadata_props`, by key. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Version of the standard operators. */
  readonly opset: number;
  /** Numbers in its stored tensors of floating or quantised types. */
  readonly parameters: number;
  /** Files beside the model that hold weights, in the order in which they are first named. */
  readonly externalFiles: readonly string[];
}

/** protobufjs gives 64-bit numbers as numbers, or as objects with a text. */
type Int64 = number | { toString(): string };

interface Tensor {
  readonly dims: readonly Int64[];
  readonly dataType: number;
  readonly externalData: readonly { readonly key: string; readonly value: string }[];
  readonly dataLocation: number;
}

interface Model {
  readonly graph: { readonly initializer: readonly Tensor[] };
  readonly opsetImport: readonly { readonly domain: string; readonly version: Int64 }[];
  readonly metadataProps: readonly { readonly key: string; readonly value: string }[];
}

/** `TensorProto.DataLocation.EXTERNAL`. */
const EXTERNAL = 1;
/** `TensorProto.DataType` of learned numbers: float, uint8, int8, float16, double, bfloat16. */
const LEARNED_TYPES: ReadonlySet<number> = new Set([1, 2, 3, 10, 11, 16]);

/**
 * @param source what to call the file in messages
 * @throws CheckpointError OtherFormat and the like for another kind of file, InvalidOnnx for a damaged one.
 */
export function readOnnxHeader(bytes: Uint8Array, source: string): OnnxHeader {
  const { graph, opsetImport, metadataProps } = decode(bytes, source);
  const initializers = graph.initializer;
  const opset = opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  const learned = initializers.filter(({ dataType }) => LEARNED_TYPES.has(dataType));
  return {
    metadata: new Map(metadataProps.map(({ key, value }) => [key, value])),
    opset: opset === undefined ? 1 : asNumber(opset.version),
    parameters: learned.reduce((sum, { dims }) => sum + elementCount(dims.map(asNumber)), 0),
    externalFiles: [...new Set(initializers.flatMap((tensor) => locationOf(tensor, source)))],
  };
}

function decode(bytes: Uint8Array, source: string): Model {
  let cause: unknown;
  try {
    const { graph, opsetImport, metadataProps } = ModelProto.decode(bytes) as unknown as Partial<Model>;
    // Fields that the file does not have stand on the prototype alone: taken out one by one, they are there.
    if (graph) return { graph, opsetImport: opsetImport ?? [], metadataProps: metadataProps ?? [] };
  } catch (error) {
    cause = error;
  }
  const foreign = recogniseForeign(bytes, 'onnx');
  if (foreign) throw new CheckpointError(foreign.code, source, foreign.problem, { cause });
  const what = bytes.length === 0 ? 'is empty' : 'is no ONNX model, or a damaged one';
  throw new CheckpointError('InvalidOnnx', source, `${what}; fetch or export it again`, { cause });
}

/** The file that holds a tensor, if not the model itself. */
function locationOf({ dataLocation, externalData }: Tensor, source: string): string[] {
  if (dataLocation !== EXTERNAL) return [];
  const location = externalData.find(({ key }) => key === 'location')?.value;
  if (location && staysInside(location)) return [location];
  if (location) {
    const problem = `its weights are said to be in ${quote(location)}, outside the folder of the model, where nothing is read; export it again`;
    throw new CheckpointError('InvalidOnnx', source, problem);
  }
  throw new CheckpointError('InvalidOnnx', source, 'does not say where a tensor is; export it again');
}

/** Whether a path names something beside the model or below, on any system. */
function staysInside(location: string): boolean {
  if (location.includes('\0') || posix.isAbsolute(location) || win32.parse(location).root !== '') return false;
  return !/^\.\.(?:[\\/]|$)/.test(win32.normalize(location));
}

function asNumber(value: Int64): number {
  return Number(value.toString());
}
