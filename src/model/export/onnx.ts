/** A whole ViT, weights included, as a standard ONNX model that any runtime opens. */
import { ModelError } from '../../base/errors.js';
import { toolVersion } from '../../base/version.js';
import { onnxParts, partsLength } from '../../engine/ort/onnx-parts.js';
import { parameterCount, parameterShapes } from '../parameters.js';
import type { ModelSpec } from '../spec.js';
import type { ExportModel } from './format.js';
import { OnnxGraph } from './onnx-graph.js';
import { type OnnxOutput, onnxMetadata } from './onnx-metadata.js';
import { recordVit } from './onnx-vit.js';

/** Operator set of exported models: the first with LayerNormalization. */
export const ONNX_OPSET = 17;
/** The file format that came with it. */
const IR_VERSION = 8;

/** Name of the input `[batch, channels, height, width]`; normalised pixels. */
export const PIXEL_VALUES = 'pixel_values';
/** Name of the size that is free. */
const BATCH = 'batch';

/** The largest message that protobuf allows, bytes. */
const MOST_BYTES = 2 ** 31 - 1;

export interface OnnxOptions {
  /** Probabilities instead of logits. */
  readonly softmax: boolean;
}

/** What the model gives, and the name of its output. */
export function outputOf({ softmax }: OnnxOptions): OnnxOutput {
  return softmax ? 'probabilities' : 'logits';
}

/** Input `[batch, channels, height, width]` and output `[batch, classes]`. */
export function onnxInterface(spec: ModelSpec, output: string) {
  const value = (name: string, ...shape: (number | string)[]) => ({ name, type: 'float32' as const, shape });
  return {
    input: value(PIXEL_VALUES, BATCH, spec.channels, ...spec.image),
    output: value(output, BATCH, spec.classes),
  };
}

/**
 * The model as one ONNX file: input `pixel_values` float32 `[batch, channels, height, width]`, output `logits` (or
 * `probabilities`) `[batch, classes]`, any batch; weights under their timm names and shapes.
 *
 * @throws ModelError when the file would be larger than ONNX files can be (2 GB).
 */
export function onnxModel(model: ExportModel, options: OnnxOptions): Uint8Array {
  return Buffer.concat(onnxModelParts(model, options));
}

/**
 * The same in parts, to be written one after the other: the weights among them are views of `model.values`, so that
 * nothing is copied.
 *
 * @throws ModelError as {@link onnxModel}.
 */
export function onnxModelParts({ spec, values }: ExportModel, { softmax }: OnnxOptions): readonly Uint8Array[] {
  const shapes = parameterShapes(spec);
  const graph = new OnnxGraph((name) => {
    const [shape, tensor] = [shapes.get(name), values.get(name)];
    if (!shape || !tensor) throw new Error(`internal: parameter ${name} is missing`);
    return { shape, values: tensor };
  });
  const output = outputOf({ softmax });
  recordVit(graph, spec, PIXEL_VALUES, 'logits');
  if (softmax) graph.node(output, 'Softmax', ['logits']);
  const ends = onnxInterface(spec, output);
  const finished = graph.finish([ends.input], [ends.output]);
  const producer = { name: 'wave', version: toolVersion() };
  const metadata = onnxMetadata(spec, output, `${producer.name} ${producer.version}`);
  const parts = onnxParts(finished, { irVersion: IR_VERSION, opset: ONNX_OPSET, producer, metadata });
  refuseLarger(partsLength(parts), 'model');
  return parts;
}

/**
 * Refuses a model that is too large as soon as its sizes are known.
 *
 * @param source what to call the model in the message
 * @throws ModelError
 */
export function checkOnnxSize(spec: ModelSpec, source: string): void {
  refuseLarger(parameterCount(spec) * Float32Array.BYTES_PER_ELEMENT, source);
}

function refuseLarger(bytes: number, source: string): void {
  if (bytes <= MOST_BYTES) return;
  const size = (bytes / 2 ** 30).toFixed(1);
  throw new ModelError(
    `${source}: would be an ONNX file of ${size} GiB, and none can be larger than 2; use --format timm or hf`,
  );
}
