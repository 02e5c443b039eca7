/**
 * The engine's worker thread. onnxruntime's `run` blocks the thread that calls it, so it runs here and the main thread
 * stays free for signals, progress and data.
 */
import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import { EngineError } from '../../base/errors.js';
import { elementCount } from '../../base/shape.js';
import type { FedTensor } from '../tensor-spec.js';
import { DeviceState } from './device-state.js';
import { externalLayout } from './external-layout.js';
import { asFloat32, describeValues, modelFeeds, modelOptions, numericOutputs } from './foreign-model.js';
import { HostState } from './host-state.js';
import { NativeGate } from './native-gate.js';
import { EXTERNAL_DATA_FILE } from './onnx-writer.js';
import { openSession } from './session-options.js';
import { STEP_SCALAR_COUNT } from './step-scalars.js';
import type { StepState, Tensors } from './step-state.js';
import {
  GRADIENT_NORM,
  gradientOf,
  isNextState,
  LOSS,
  type Method,
  type ReplyMessage,
  type RequestMessage,
  type Requests,
  STEP_SCALARS,
} from './worker-protocol.js';

type Handlers = {
  [M in Method]: (request: Requests[M]['request']) => Promise<Requests[M]['reply']> | Requests[M]['reply'];
};

const states = new Map<number, StepState>();
const sessions = new Map<number, ort.InferenceSession>();
let nextId = 1;

function stateOf(id: number): StepState {
  const state = states.get(id);
  if (!state) throw new EngineError('internal: the state was disposed of');
  return state;
}

/** A state whose gradients lie in memory. */
function hostStateOf(id: number): HostState {
  const state = stateOf(id);
  if (!(state instanceof HostState)) throw new EngineError('internal: the state is not in the memory of the host');
  return state;
}

function sessionOf(id: number): ort.InferenceSession {
  const session = sessions.get(id);
  if (!session) throw new EngineError('internal: the compiled step was disposed of');
  return session;
}

/** The state's parameters as one block, laid out as the model's external data. */
async function externalData(state: StepState): Promise<Uint8Array> {
  const values = await state.values();
  const layout = externalLayout(state.layout.map(({ name, shape }) => ({ name, shape })));
  const block = new Uint8Array(layout.bytes);
  for (const [i, { name }] of state.layout.entries()) {
    const { buffer, byteOffset, byteLength } = values[i] as Float32Array;
    const { offset } = layout.places.get(name) as { offset: number };
    block.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
  }
  return block;
}

function inputTensors(inputs: readonly FedTensor[]): Tensors {
  const tensors: Tensors = {};
  for (const { name, shape, values } of inputs) {
    tensors[name] =
      values instanceof Int32Array ? new ort.Tensor('int32', values, shape) : new ort.Tensor('float32', values, shape);
  }
  return tensors;
}

/**
 * Runs a session.
 *
 * @param fetches memory that some of its outputs are written into, beside that of the session for the others. Undefined:
 * outputs are made anew, since onnxruntime takes no memory for any where some stay on the device.
 * @returns outputs by name, valid until the session runs again
 */
async function runSession(id: number, feeds: Tensors, fetches: Tensors | undefined): Promise<Tensors> {
  const session = sessionOf(id);
  if (!fetches) return { ...(await session.run(feeds)) };
  const results = { ...outputTensors(id, session), ...fetches };
  await session.run(feeds, results);
  return results;
}

/** A batch and the tensors of the state that the session wants. */
function feedsOf(id: number, inputs: readonly FedTensor[], state?: StepState): Tensors {
  return { ...inputTensors(inputs), ...state?.feeds(new Set(sessionOf(id).inputNames)) };
}

/** Output tensors that this session has been given before, by session and name: nothing is allocated per step. */
const outputBuffers = new Map<number, Tensors>();

function outputTensors(id: number, session: ort.InferenceSession): Tensors {
  const known = outputBuffers.get(id);
  if (known) return known;
  const tensors: Tensors = {};
  for (const meta of session.outputMetadata) {
    if (!meta.isTensor) continue;
    const shape = meta.shape.map(Number);
    const count = elementCount(shape);
    if (meta.name.startsWith(gradientOf('')) || isNextState(meta.name)) continue;
    tensors[meta.name] =
      meta.type === 'int32'
        ? new ort.Tensor('int32', new Int32Array(count), shape)
        : new ort.Tensor('float32', new Float32Array(count), shape);
  }
  outputBuffers.set(id, tensors);
  return tensors;
}

/** Copies of outputs, to be sent away. */
function collect(tensors: Tensors, names: readonly string[]): FedTensor[] {
  return names.map((name) => {
    const tensor = tensors[name] as ort.Tensor;
    return { name, shape: tensor.dims, values: (tensor.data as Float32Array | Int32Array).slice() };
  });
}

const scalarOf = (tensors: Tensors, name: string): number => Number((tensors[name] as ort.Tensor).data[0]);

const handlers: Handlers = {
  async createState({ layout, values, constants, place, device }) {
    const state = device
      ? await DeviceState.create(layout, values, constants, device)
      : new HostState(layout, values, constants, place);
    const id = nextId++;
    states.set(id, state);
    return { state: id };
  },
  readState: async ({ state }) => ({ values: (await stateOf(state).values()).map((values) => values.slice()) }),
  async writeState({ state, values }) {
    await stateOf(state).write(values);
    return {};
  },
  readOptimiser: async ({ state }) => ({ step: stateOf(state).step, ...(await stateOf(state).readMoments()) }),
  async writeOptimiser({ state, step, first, second }) {
    await stateOf(state).writeMoments(first, second);
    stateOf(state).step = step;
    return {};
  },
  async disposeState({ state: id }) {
    const state = states.get(id);
    states.delete(id);
    await state?.dispose();
    return {};
  },
  async createSession({ model, settings, frozenState }) {
    const start = performance.now();
    const data = frozenState === undefined ? undefined : await externalData(stateOf(frozenState));
    const session = await openSession(model, settings, data && { externalData: [{ path: EXTERNAL_DATA_FILE, data }] });
    const id = nextId++;
    sessions.set(id, session);
    return { session: id, milliseconds: performance.now() - start };
  },
  async openModel({ source, settings }) {
    const options = modelOptions(settings);
    const session = await (typeof source === 'string'
      ? ort.InferenceSession.create(source, options)
      : ort.InferenceSession.create(source, options));
    const id = nextId++;
    sessions.set(id, session);
    return {
      session: id,
      inputs: describeValues(session.inputMetadata),
      outputs: describeValues(session.outputMetadata),
    };
  },
  async runModel({ session: id, inputs, outputs: wanted }) {
    const session = sessionOf(id);
    const results = await session.run(modelFeeds(session, inputs), wanted ?? numericOutputs(session));
    return { outputs: Object.entries(results).map(([name, tensor]) => asFloat32(name, tensor)) };
  },
  async disposeSession({ session: id }) {
    const session = sessions.get(id);
    sessions.delete(id);
    outputBuffers.delete(id);
    for (const state of states.values()) await state.leave(id);
    session?.endProfiling();
    await session?.release();
    return {};
  },
  async infer({ session, state, inputs, outputs }) {
    const feeds = feedsOf(session, inputs, state === undefined ? undefined : stateOf(state));
    return { outputs: collect(await runSession(session, feeds, {}), outputs) };
  },
  async gradients({ session, state: stateId, inputs, outputs }) {
    const state = hostStateOf(stateId);
    const results = await runSession(session, feedsOf(session, inputs, state), state.fetches());
    const gradients = state.trained().map(({ layout, gradient }) => ({
      name: layout.name,
      shape: layout.shape,
      values: (gradient as { values: Float32Array }).values.slice(),
    }));
    return { loss: scalarOf(results, LOSS), outputs: collect(results, outputs), gradients };
  },
  async accumulate({ session, state: stateId, inputs, outputs }) {
    const state = hostStateOf(stateId);
    const results = await runSession(session, feedsOf(session, inputs, state), state.fetches());
    const loss = scalarOf(results, LOSS);
    const finite = Number.isFinite(loss);
    if (finite) state.keepGradients();
    else state.forgetGradients();
    return { loss, finite, outputs: collect(results, outputs) };
  },
  train({ state: stateId, ...request }) {
    const state = stateOf(stateId);
    return state.place === 'graph' ? trainInGraph(state, request) : trainOnHost(hostStateOf(stateId), request);
  },
};

type TrainRequest = Omit<Requests['train']['request'], 'state'>;
type TrainReply = Promise<Requests['train']['reply']>;

async function trainOnHost(state: HostState, { session, inputs, outputs, settings }: TrainRequest): TrainReply {
  const results = await runSession(session, feedsOf(session, inputs, state), state.fetches());
  const loss = scalarOf(results, LOSS);
  state.meanGradients();
  // Also without clipping: one gradient that is not a number would spoil its parameter for good.
  const gradientNorm = state.gradientNorm();
  const finite = Number.isFinite(loss) && Number.isFinite(gradientNorm);
  if (finite) {
    const { clipNorm } = settings;
    const scale = clipNorm === undefined ? 1 : Math.min(1, clipNorm / Math.max(gradientNorm, 1e-12));
    state.applyGradients(settings, scale);
  }
  return { loss, gradientNorm, finite, outputs: collect(results, outputs) };
}

async function trainInGraph(state: StepState, { session, inputs, outputs, settings }: TrainRequest): TrainReply {
  const scalars = new ort.Tensor('float32', state.nextScalars(settings), [STEP_SCALAR_COUNT]);
  const feeds = { ...feedsOf(session, inputs, state), [STEP_SCALARS]: scalars };
  const results = await runSession(session, feeds, state.fetches());
  const [loss, gradientNorm] = [scalarOf(results, LOSS), scalarOf(results, GRADIENT_NORM)];
  const finite = Number.isFinite(loss) && Number.isFinite(gradientNorm);
  if (finite) state.accept(results, session);
  else state.reject(results);
  return { loss, gradientNorm, finite, outputs: collect(results, outputs) };
}

const port = parentPort;
if (!port) throw new Error('internal: worker.js is a worker thread, not a program');

const gate = new NativeGate(workerData as SharedArrayBuffer);
gate.leave();

async function answer({ id, method, request }: RequestMessage): Promise<void> {
  let message: ReplyMessage;
  if (!gate.enter()) {
    port?.postMessage({ id, error: 'internal: the engine was disposed of' } satisfies ReplyMessage);
    return;
  }
  try {
    const handle = handlers[method] as (request: unknown) => Promise<Requests[Method]['reply']>;
    message = { id, reply: await handle(request) };
  } catch (error) {
    const { message: text, stack } = error instanceof Error ? error : new Error(String(error));
    message = { id, error: text, ...(stack === undefined ? {} : { stack }) };
  } finally {
    gate.leave();
  }
  port?.postMessage(message);
}

// One request at a time, in the order in which they came.
let queue = Promise.resolve();
port.on('message', (message: RequestMessage) => {
  queue = queue.then(() => answer(message));
});
