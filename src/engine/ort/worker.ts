/**
 * The engine's worker thread. onnxruntime's `run` blocks the thread that calls it, so it runs here and the main thread
 * stays free for signals, progress and data.
 */
import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import { EngineError } from '../../base/errors.js';
import { elementCount } from '../../base/shape.js';
import { ortMessage } from '../ort-message.js';
import type { FedTensor } from '../tensor-spec.js';
import { externalLayout } from './external-layout.js';
import { asFloat32, describeValues, modelFeeds, modelOptions, numericOutputs } from './foreign-model.js';
import { NativeGate } from './native-gate.js';
import { EXTERNAL_DATA_FILE } from './onnx-writer.js';
import { STEP_SCALAR_COUNT } from './step-scalars.js';
import {
  firstMomentOf,
  GRADIENT_NORM,
  gradientOf,
  LOSS,
  type Method,
  nextFirstMomentOf,
  nextSecondMomentOf,
  type ReplyMessage,
  type RequestMessage,
  type Requests,
  type SessionSettings,
  STEP_SCALARS,
  secondMomentOf,
  updateOf,
} from './worker-protocol.js';
import { WorkerState } from './worker-state.js';

type Tensors = Record<string, ort.Tensor>;
type Handlers = {
  [M in Method]: (request: Requests[M]['request']) => Promise<Requests[M]['reply']> | Requests[M]['reply'];
};

/** onnxruntime's severity from which it logs: errors. */
const LOG_ERRORS = 3;

const states = new Map<number, WorkerState>();
const sessions = new Map<number, ort.InferenceSession>();
let nextId = 1;

function stateOf(id: number): WorkerState {
  const state = states.get(id);
  if (!state) throw new EngineError('internal: the state was disposed of');
  return state;
}

function sessionOf(id: number): ort.InferenceSession {
  const session = sessions.get(id);
  if (!session) throw new EngineError('internal: the compiled step was disposed of');
  return session;
}

function sessionOptions({ device, threads, profile }: SessionSettings): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // One block planned for a whole run takes 40 % more memory than blocks taken and given back, and is no faster.
    enableMemPattern: false,
    graphOptimizationLevel: 'all',
    logSeverityLevel: LOG_ERRORS,
    // Idle threads must not spin on between steps: the optimiser and the data loader want the cores.
    // A node that the device cannot run is an error, not a silent detour over the CPU.
    extra: { session: { force_spinning_stop: '1', ...(device === 'cpu' ? {} : { disable_cpu_ep_fallback: '1' }) } },
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
  };
}

/** The state's parameters as one block, laid out as the model's external data. */
function externalData(state: WorkerState): Uint8Array {
  const layout = externalLayout([...state.parameters.values()].map(({ layout: { name, shape } }) => ({ name, shape })));
  const block = new Uint8Array(layout.bytes);
  for (const [name, { offset }] of layout.places) {
    const values = state.parameters.get(name)?.value.values as Float32Array;
    block.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
  }
  return block;
}

function feeds(state: WorkerState | undefined, inputs: readonly FedTensor[], session: ort.InferenceSession): Tensors {
  const tensors: Tensors = {};
  for (const { name, shape, values } of inputs) {
    tensors[name] =
      values instanceof Int32Array ? new ort.Tensor('int32', values, shape) : new ort.Tensor('float32', values, shape);
  }
  const wanted = new Set(session.inputNames);
  for (const [name, { value, first, second }] of state?.parameters ?? []) {
    if (wanted.has(name)) tensors[name] = value.tensor;
    if (first && wanted.has(firstMomentOf(name))) tensors[firstMomentOf(name)] = first.tensor;
    if (second && wanted.has(secondMomentOf(name))) tensors[secondMomentOf(name)] = second.tensor;
  }
  return tensors;
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
    if (meta.name.startsWith(gradientOf('')) || isStateOutput(meta.name)) continue;
    tensors[meta.name] =
      meta.type === 'int32'
        ? new ort.Tensor('int32', new Int32Array(count), shape)
        : new ort.Tensor('float32', new Float32Array(count), shape);
  }
  outputBuffers.set(id, tensors);
  return tensors;
}

function isStateOutput(name: string): boolean {
  return [updateOf(''), nextFirstMomentOf(''), nextSecondMomentOf('')].some((prefix) => name.startsWith(prefix));
}

/** Where the graph writes gradients or the next state. */
function stateOutputs(state: WorkerState): Tensors {
  const tensors: Tensors = {};
  for (const [name, { gradient, next }] of state.parameters) {
    if (gradient) tensors[gradientOf(name)] = gradient.tensor;
    if (!next) continue;
    tensors[updateOf(name)] = next.value.tensor;
    tensors[nextFirstMomentOf(name)] = next.first.tensor;
    tensors[nextSecondMomentOf(name)] = next.second.tensor;
  }
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
  createState({ layout, values, constants, place }) {
    const id = nextId++;
    states.set(id, new WorkerState(layout, values, constants, place));
    return { state: id };
  },
  readState: ({ state }) => ({ values: stateOf(state).read() }),
  writeState({ state, values }) {
    stateOf(state).write(values);
    return {};
  },
  readOptimiser: ({ state }) => ({ step: stateOf(state).step, ...stateOf(state).readMoments() }),
  writeOptimiser({ state, step, first, second }) {
    stateOf(state).writeMoments(first, second);
    stateOf(state).step = step;
    return {};
  },
  disposeState({ state }) {
    states.delete(state);
    return {};
  },
  async createSession({ model, settings, frozenState }) {
    const start = performance.now();
    const options = sessionOptions(settings);
    if (frozenState !== undefined) {
      options.externalData = [{ path: EXTERNAL_DATA_FILE, data: externalData(stateOf(frozenState)) }];
    }
    const session = await ort.InferenceSession.create(model, options).catch((error: Error) => {
      if (settings.device === 'cpu') throw error;
      throw new EngineError(`device ${settings.device} cannot be used: ${ortMessage(error.message)}; see wave doctor`);
    });
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
    session?.endProfiling();
    await session?.release();
    return {};
  },
  async infer({ session: id, state, inputs, outputs }) {
    const session = sessionOf(id);
    const results = outputTensors(id, session);
    await session.run(feeds(state === undefined ? undefined : stateOf(state), inputs, session), results);
    return { outputs: collect(results, outputs) };
  },
  async gradients({ session: id, state: stateId, inputs, outputs }) {
    const [session, state] = [sessionOf(id), stateOf(stateId)];
    const results = { ...outputTensors(id, session), ...stateOutputs(state) };
    await session.run(feeds(state, inputs, session), results);
    const gradients = state.trained().map(({ layout, gradient }) => ({
      name: layout.name,
      shape: layout.shape,
      values: (gradient as { values: Float32Array }).values.slice(),
    }));
    return { loss: scalarOf(results, LOSS), outputs: collect(results, outputs), gradients };
  },
  async accumulate({ session: id, state: stateId, inputs, outputs }) {
    const [session, state] = [sessionOf(id), stateOf(stateId)];
    const results = { ...outputTensors(id, session), ...stateOutputs(state) };
    await session.run(feeds(state, inputs, session), results);
    const loss = scalarOf(results, LOSS);
    const finite = Number.isFinite(loss);
    if (finite) state.keepGradients();
    else state.forgetGradients();
    return { loss, finite, outputs: collect(results, outputs) };
  },
  async train({ session: id, state: stateId, inputs, outputs, settings }) {
    const [session, state] = [sessionOf(id), stateOf(stateId)];
    const results = { ...outputTensors(id, session), ...stateOutputs(state) };
    const tensors = feeds(state, inputs, session);
    const inGraph = state.place === 'graph';
    if (inGraph) tensors[STEP_SCALARS] = new ort.Tensor('float32', state.nextScalars(settings), [STEP_SCALAR_COUNT]);
    await session.run(tensors, results);
    const loss = scalarOf(results, LOSS);
    if (!inGraph) state.meanGradients();
    // Also without clipping: one gradient that is not a number would spoil its parameter for good.
    const gradientNorm = inGraph ? scalarOf(results, GRADIENT_NORM) : state.gradientNorm();
    const finite = Number.isFinite(loss) && Number.isFinite(gradientNorm);
    if (finite && inGraph) state.swap();
    if (finite && !inGraph) {
      const { clipNorm } = settings;
      const scale = clipNorm === undefined ? 1 : Math.min(1, clipNorm / Math.max(gradientNorm, 1e-12));
      state.applyGradients(settings, scale);
    }
    return { loss, gradientNorm, finite, outputs: collect(results, outputs) };
  },
};

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
