/** Models in ONNX files, whoever made them: opened by onnxruntime in a thread of their own, fed and asked by name. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { WaveError } from '../base/errors.js';
import { printable, quote } from '../base/text.js';
import { ioError } from '../checkpoint/byte-source.js';
import { CheckpointError } from '../checkpoint/errors.js';
import { type OnnxHeader, readOnnxHeader } from './ort/onnx-reader.js';
import { WorkerClient } from './ort/worker-client.js';
import type { ModelValue } from './ort/worker-protocol.js';
import { ortMessage } from './ort-message.js';

/** An input or output: `type` is `float32`, `int64` and so on; sizes that are not fixed have a name, or `?`. */
export type OnnxValue = ModelValue;

export interface OnnxTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface OnnxFile {
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** `metadata_props`, by key. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Version of the standard operators. */
  readonly opset: number;
  /** Numbers in its stored tensors of floating or quantised types. */
  readonly parameters: number;
  /**
   * Runs the model. Inputs are converted to the types that it takes (float16, float32, float64, uint8) and outputs to
   * float32; the arrays given stay usable.
   *
   * @param outputs names of those that are wanted; default: all that are numbers
   * @throws EngineError in onnxruntime's words: an input that is missing, or of a shape that the model does not take.
   */
  run(inputs: ReadonlyMap<string, OnnxTensor>, outputs?: readonly string[]): Promise<ReadonlyMap<string, OnnxTensor>>;
  /** Ends the thread. May be called again. */
  close(): Promise<void>;
}

export interface OnnxOptions {
  readonly threads: number;
  readonly device?: 'cpu';
}

/** What a model in memory is called in messages. */
const IN_MEMORY = 'the ONNX model';
/** Largest file that protobuf, and so ONNX, can have, bytes. */
const MOST_BYTES = 2 ** 31 - 1;

/** What onnxruntime says of an operator set or file version that is newer than it. */
const TOO_NEW = /Opset (\d+) is under development[\s\S]*till opset (\d+)/;
const VERSION_TOO_NEW = /Unsupported model IR version: (\d+), max supported IR version: (\d+)/;
/** What onnxruntime puts before the sentence. */
const PREAMBLE = /^Load model from .*? failed:\s*/;

/**
 * @param source the path of the model, whose external data lies beside it, or the bytes of one without external data
 * @throws CheckpointError: no such file, not an ONNX model, damaged, without its external data, or with operators that
 * onnxruntime cannot run.
 */
export async function openOnnxFile(
  source: string | Uint8Array,
  { threads, device = 'cpu' }: OnnxOptions,
): Promise<OnnxFile> {
  const name = typeof source === 'string' ? source : IN_MEMORY;
  const header = readOnnxHeader(typeof source === 'string' ? await bytesOf(source) : source, name);
  await checkExternalFiles(header, source, name);
  const client = new WorkerClient();
  try {
    const place = typeof source === 'string' ? resolve(source) : source;
    const opened = await client.call('openModel', { source: place, settings: { device, threads } });
    return new OpenedModel(client, header, opened);
  } catch (error) {
    await client.close();
    throw refusal(error, name);
  }
}

/**
 * The metadata of a model, without running it.
 *
 * @throws CheckpointError when it cannot be read or is no ONNX model.
 */
export async function onnxMetadata(path: string): Promise<ReadonlyMap<string, string>> {
  return readOnnxHeader(await bytesOf(path), path).metadata;
}

/**
 * All files that a model is in: its own, and those beside it that hold its weights.
 *
 * @throws CheckpointError when it is no ONNX model, or one without its external data.
 */
export async function onnxFiles(path: string): Promise<string[]> {
  const header = readOnnxHeader(await bytesOf(path), path);
  await checkExternalFiles(header, path, path);
  return [path, ...header.externalFiles.map((file) => join(dirname(path), file))];
}

async function bytesOf(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) {
      throw new CheckpointError('InvalidOnnx', path, 'is larger than 2 GiB, which no ONNX model is: check the path');
    }
    return await readFile(path);
  } catch (error) {
    throw error instanceof CheckpointError ? error : ioError(error, path, 'read');
  }
}

async function checkExternalFiles(
  { externalFiles }: OnnxHeader,
  source: string | Uint8Array,
  name: string,
): Promise<void> {
  const [first] = externalFiles;
  if (first === undefined) return;
  if (typeof source !== 'string') {
    throw new CheckpointError('ExternalDataMissing', name, `has weights in ${quote(first)}; give it by its path`);
  }
  for (const file of externalFiles) {
    await stat(join(dirname(source), file)).catch((cause: unknown) => {
      const problem = `its weights are in ${quote(file)}, which is not beside it; put that file into the same folder`;
      throw new CheckpointError('ExternalDataMissing', name, problem, { cause });
    });
  }
}

/** In words of ours where the cause is known, else in one line of onnxruntime's. */
function refusal(error: unknown, name: string): Error {
  if (!(error instanceof WaveError)) return error as Error;
  const said = `${error.message}`.replace(/^engine ort: /, '').replace(PREAMBLE, '');
  const fail = (code: 'InvalidOnnx' | 'UnsupportedOnnx', problem: string) =>
    new CheckpointError(code, name, problem, { cause: error });
  const [, opset, mostOpset] = TOO_NEW.exec(said) ?? [];
  if (opset !== undefined) {
    return fail(
      'UnsupportedOnnx',
      `needs operator set ${opset}, the latest that runs is ${mostOpset}; export it with that`,
    );
  }
  const [, version, mostVersion] = VERSION_TOO_NEW.exec(said) ?? [];
  if (version !== undefined) {
    return fail(
      'UnsupportedOnnx',
      `has file version ${version}, the latest that runs is ${mostVersion}; export it with that`,
    );
  }
  if (/Protobuf parsing failed/.test(said))
    return fail('InvalidOnnx', 'is a damaged ONNX model; fetch or export it again');
  if (/External initializer: .* out of bounds/.test(said)) {
    return fail('InvalidOnnx', 'the file with its weights is too short; fetch or export both again');
  }
  return fail('UnsupportedOnnx', `cannot be run by onnxruntime: ${printable(ortMessage(said))}`);
}

class OpenedModel implements OnnxFile {
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly opset: number;
  readonly parameters: number;
  readonly #client: WorkerClient;
  readonly #session: number;

  constructor(
    client: WorkerClient,
    { metadata, opset, parameters }: OnnxHeader,
    { session, inputs, outputs }: { session: number; inputs: readonly OnnxValue[]; outputs: readonly OnnxValue[] },
  ) {
    [this.#client, this.#session] = [client, session];
    [this.inputs, this.outputs] = [inputs, outputs];
    [this.metadata, this.opset, this.parameters] = [metadata, opset, parameters];
  }

  async run(
    inputs: ReadonlyMap<string, OnnxTensor>,
    outputs?: readonly string[],
  ): Promise<ReadonlyMap<string, OnnxTensor>> {
    const fed = [...inputs].map(([name, { shape, values }]) => ({ name, shape, values }));
    const request = { session: this.#session, inputs: fed, ...(outputs === undefined ? {} : { outputs }) };
    const reply = await this.#client.call('runModel', request);
    return new Map(reply.outputs.map(({ name, shape, values }) => [name, { shape, values: values as Float32Array }]));
  }

  async close(): Promise<void> {
    await this.#client.call('disposeSession', { session: this.#session }).catch(() => undefined);
    await this.#client.close();
  }
}
