/**
 * Copies between the host's memory and a device. onnxruntime's binding for Node keeps outputs on the device and takes
 * them as inputs again, but neither downloads such a tensor (asking for it ends the process) nor makes one of values.
 * A graph of one `Identity` does both: with its output left on the device, and with its output fetched.
 */
import * as ort from 'onnxruntime-node';
import { ONNX_TYPE } from './graph.js';
import { ModelProto } from './onnx-schema.js';
import { IR_VERSION, nodeMessage, OPSET } from './onnx-writer.js';
import { openSession } from './session-options.js';
import type { SessionSettings } from './worker-protocol.js';

const [FROM, TO] = ['from', 'to'];

/** One `Identity` on a float32 tensor of any shape. */
function copyModel(): Uint8Array {
  const value = (name: string) => ({ name, type: { tensorType: { elemType: ONNX_TYPE.float32 } } });
  const copy = { op: 'Identity', domain: '', inputs: [FROM], outputs: [TO], attributes: {} } as const;
  return ModelProto.encode({
    irVersion: IR_VERSION,
    producerName: 'wave',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: { name: 'copy', node: [nodeMessage(copy, 0)], initializer: [], input: [value(FROM)], output: [value(TO)] },
  }).finish();
}

/**
 * A tensor on a device must be gone before the session that made it: its memory is given back through that session, and
 * a late one crashes the process. What this makes lives until `close`.
 */
export class DeviceCopies {
  readonly #up: ort.InferenceSession;
  readonly #down: ort.InferenceSession;

  private constructor(up: ort.InferenceSession, down: ort.InferenceSession) {
    this.#up = up;
    this.#down = down;
  }

  /** @throws EngineError when the device cannot be used. */
  static async open({ device, threads }: SessionSettings): Promise<DeviceCopies> {
    const model = copyModel();
    const up = await openSession(model, { device, threads, resident: [TO] });
    return new DeviceCopies(up, await openSession(model, { device, threads }));
  }

  /** A tensor on the device, to be disposed of by the caller. */
  upload(values: Float32Array, shape: readonly number[]): Promise<ort.Tensor> {
    return this.duplicate(new ort.Tensor('float32', values, shape));
  }

  /** A copy of a tensor, wherever that is, on the device; to be disposed of by the caller. */
  async duplicate(tensor: ort.Tensor): Promise<ort.Tensor> {
    const results = await this.#up.run({ [FROM]: tensor });
    return results[TO] as ort.Tensor;
  }

  /** The values of a tensor on the device, in memory of their own. */
  async download(tensor: ort.Tensor): Promise<Float32Array> {
    const values = new Float32Array(tensor.size);
    await this.#down.run({ [FROM]: tensor }, { [TO]: new ort.Tensor('float32', values, tensor.dims) });
    return values;
  }

  /** Only when all tensors that were made here are disposed of. */
  async close(): Promise<void> {
    await this.#up.release();
    await this.#down.release();
  }
}
