/**
 * Models that the engine has not made itself, in the worker: what goes in and comes out, and its types. Everything
 * crosses to the main thread as float32.
 */
import * as ort from 'onnxruntime-node';
import { roundToF16, widenF16 } from '../../checkpoint/half.js';
import type { FedTensor } from '../tensor-spec.js';
import type { ModelValue, SessionSettings } from './worker-protocol.js';

/** onnxruntime's severity from which it logs: fatal. What is wrong with a model is told once, by the error. */
const LOG_FATAL = 4;

type Convert = (values: Float32Array, shape: readonly number[]) => ort.Tensor;

/** Element types of inputs that float32 is converted to, and how. */
const INPUT_TYPES: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ['float32', (values, shape) => new ort.Tensor('float32', values, shape)],
  ['float16', (values, shape) => new ort.Tensor('float16', roundToF16(values), shape)],
  ['float64', (values, shape) => new ort.Tensor('float64', Float64Array.from(values), shape)],
  ['uint8', (values, shape) => new ort.Tensor('uint8', Uint8Array.from(Uint8ClampedArray.from(values)), shape)],
]);

/** Options of a session for a model from outside. */
export function modelOptions({ device, threads }: SessionSettings): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: LOG_FATAL,
    extra: { session: { force_spinning_stop: '1' } },
  };
}

/** Inputs or outputs of a session. */
export function describeValues(values: readonly ort.InferenceSession.ValueMetadata[]): ModelValue[] {
  return values.map((value) => {
    if (!value.isTensor) return { name: value.name, type: 'none', shape: [] };
    return { name: value.name, type: value.type, shape: value.shape.map((size) => (size === '' ? '?' : size)) };
  });
}

/** Feeds of the types that the model takes. */
export function modelFeeds(session: ort.InferenceSession, inputs: readonly FedTensor[]): Record<string, ort.Tensor> {
  const tensors: Record<string, ort.Tensor> = {};
  for (const { name, shape, values } of inputs) {
    const type = session.inputMetadata.find((input) => input.name === name && input.isTensor);
    const convert = type?.isTensor ? INPUT_TYPES.get(type.type) : undefined;
    if (!convert) throw new Error(`input ${name} is of a type that is not fed: ${type?.isTensor ? type.type : 'none'}`);
    tensors[name] = convert(values as Float32Array, shape);
  }
  return tensors;
}

/** Names of the outputs that are numbers. */
export function numericOutputs(session: ort.InferenceSession): string[] {
  return session.outputMetadata.flatMap((output) => (output.isTensor && output.type !== 'string' ? [output.name] : []));
}

/** An output as float32, whatever its type; its values may be sent away. */
export function asFloat32(name: string, { dims, type, data }: ort.Tensor): FedTensor {
  return { name, shape: dims, values: float32Of(type, data) };
}

function float32Of(type: string, data: ort.Tensor['data']): Float32Array {
  if (data instanceof Float32Array) return data.slice();
  if (type === 'float16') {
    const { buffer, byteOffset, length } = data as Uint16Array;
    const wide = new Float32Array(length);
    widenF16(new Uint16Array(buffer, byteOffset, length), wide, 0);
    return wide;
  }
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}
