/**
 * Engine `ort`: programs are traced into one ONNX graph, forward, backward and (on devices other than the CPU) the
 * optimiser, and run by onnxruntime in a worker thread.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { EngineError, TrainingError } from '../../base/errors.js';
import type { TensorSpec, TensorSpecs, TensorValues } from '../tensor-spec.js';
import { type Scalar, type Tensor, tf } from '../tf.js';
import type {
  AdamWConstants,
  CompileInfo,
  Engine,
  InferenceProgram,
  InferenceStep,
  State,
  StateEntry,
  TrainingProgram,
  TrainingStep,
} from '../types.js';
import { externalLayout } from './external-layout.js';
import type { FinishedGraph } from './graph.js';
import { adamw, clipFactor, gradientNorm, splitScalars } from './graph-optimiser.js';
import { writeOnnx } from './onnx-writer.js';
import { OrtState } from './ort-state.js';
import { STEP_SCALAR_COUNT } from './step-scalars.js';
import { trace } from './trace/trace.js';
import { WorkerClient } from './worker-client.js';
import {
  type FedTensor,
  firstMomentOf,
  GRADIENT_NORM,
  gradientOf,
  LOSS,
  nextFirstMomentOf,
  nextSecondMomentOf,
  type OptimiserPlace,
  STEP_SCALARS,
  secondMomentOf,
  updateOf,
} from './worker-protocol.js';

/** Devices that engine ort can be asked for. */
export const ORT_DEVICES = ['cpu', 'webgpu'] as const;
export type OrtDevice = (typeof ORT_DEVICES)[number];

export interface OrtEngineOptions {
  readonly device?: OrtDevice;
  /** Threads of the CPU device; default: the cores this process may use. */
  readonly threads?: number;
  /**
   * Where AdamW runs. Default: on the host for the CPU, whose gradients lie in the host's memory anyway; in the graph
   * for other devices.
   */
  readonly optimiser?: OptimiserPlace;
  /** File prefix for onnxruntime's own profile of every session; written when the session is disposed of. */
  readonly profile?: string;
}

/** The installed version of onnxruntime-node. */
export function ortVersion(): string {
  const path = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/** @throws EngineError when `threads` is not a positive integer. */
export function createOrtEngine(options: OrtEngineOptions = {}): Engine {
  const { device = 'cpu', threads, optimiser = device === 'cpu' ? 'host' : 'graph', profile } = options;
  const count = threads ?? availableParallelism();
  if (!Number.isInteger(count) || count < 1) {
    throw new EngineError(`threads must be a positive integer, found ${count}`);
  }
  return new OrtEngine(device, count, optimiser, profile);
}

class OrtEngine implements Engine {
  readonly name = 'ort';
  readonly version = ortVersion();
  readonly device: OrtDevice;
  readonly threads: number;
  readonly #optimiser: OptimiserPlace;
  readonly #profile: string | undefined;
  readonly #client = new WorkerClient();

  constructor(device: OrtDevice, threads: number, optimiser: OptimiserPlace, profile: string | undefined) {
    this.device = device;
    this.threads = threads;
    this.#optimiser = optimiser;
    this.#profile = profile;
  }

  async createState(entries: ReadonlyMap<string, StateEntry>, constants: AdamWConstants): Promise<State> {
    const layout = [...entries].map(([name, { spec, rule }]) => ({ name, shape: spec.shape, rule }));
    const values = [...entries.values()].map((entry) => entry.values);
    const place = this.#optimiser;
    const { state } = await this.#client.call('createState', { layout, values, constants, place });
    const rules = new Map([...entries].map(([name, { rule }]) => [name, rule]));
    const specs = new Map([...entries].map(([name, { spec }]) => [name, spec]));
    return new OrtState(this.#client, state, specs, rules, constants, place);
  }

  async compileTraining(
    program: TrainingProgram,
    state: State,
  ): Promise<TrainingStep & { readonly info: CompileInfo }> {
    const owned = OrtState.of(state);
    const start = performance.now();
    const graph = await (owned.place === 'host'
      ? this.#traceGradients(program, owned)
      : this.#traceUpdates(program, owned));
    const outputs = graph.outputs.map(({ name }) => name).filter((name) => name.startsWith(OUTPUT_PREFIX));
    const { session, info } = await this.#createSession(graph, start);
    const request = (inputs: ReadonlyMap<string, TensorValues>) => ({
      session,
      state: owned.id,
      inputs: fed(inputs, program.inputs),
      outputs,
    });
    const client = this.#client;
    return {
      info,
      async run(inputs, settings) {
        const reply = await client.call('train', { ...request(inputs), settings }, buffers(inputs));
        if (!reply.finite) {
          const what = Number.isFinite(reply.loss) ? `gradient norm is ${reply.gradientNorm}` : `loss is ${reply.loss}`;
          throw new TrainingError(`${what}: training diverged; lower the learning rate or check the data`);
        }
        return {
          loss: reply.loss,
          outputs: received(reply.outputs),
          ...(settings.clipNorm === undefined ? {} : { gradientNorm: reply.gradientNorm }),
        };
      },
      async gradients(inputs) {
        if (owned.place !== 'host')
          throw new EngineError('gradients stay in the graph: make the engine with optimiser "host"');
        const reply = await client.call('gradients', request(inputs), buffers(inputs));
        const gradients = new Map(reply.gradients.map(({ name, values }) => [name, values as Float32Array]));
        return { loss: reply.loss, outputs: received(reply.outputs), gradients };
      },
      dispose: () => client.call('disposeSession', { session }).then(() => undefined),
    };
  }

  async compileInference(
    program: InferenceProgram,
    state: State,
    { frozen }: { readonly frozen: boolean },
  ): Promise<InferenceStep & { readonly info: CompileInfo }> {
    const owned = OrtState.of(state);
    const start = performance.now();
    const inputs = new Map<string, TensorSpec>([...owned.specs, ...program.inputs]);
    const graph = await trace(
      inputs,
      (tensors) => {
        const results = program.run({ parameters: pick(tensors, owned.specs), inputs: pick(tensors, program.inputs) });
        return new Map([...results].map(([name, tensor]) => [OUTPUT_PREFIX + name, tensor]));
      },
      this.#target(),
    );
    const outputs = graph.outputs.map(({ name }) => name);
    const { session, info } = await this.#createSession(graph, start, frozen ? owned : undefined);
    const client = this.#client;
    return {
      info,
      async run(values) {
        const request = {
          session,
          inputs: fed(values, program.inputs),
          outputs,
          ...(frozen ? {} : { state: owned.id }),
        };
        return received((await client.call('infer', request, buffers(values))).outputs);
      },
      dispose: () => client.call('disposeSession', { session }).then(() => undefined),
    };
  }

  dispose(): Promise<void> {
    return this.#client.close();
  }

  /** Forward and backward: outputs are the loss, the program's outputs and one gradient for each trained parameter. */
  #traceGradients(program: TrainingProgram, state: OrtState): Promise<FinishedGraph> {
    const inputs = new Map<string, TensorSpec>([...state.specs, ...program.inputs]);
    return trace(inputs, (tensors) => differentiate(program, state, tensors).outputs, this.#target());
  }

  /** Forward, backward and optimiser: outputs are the loss, the program's outputs and the next state. */
  #traceUpdates(program: TrainingProgram, state: OrtState): Promise<FinishedGraph> {
    const trained = [...state.specs].filter(([name]) => state.rule(name).trained);
    const inputs = new Map<string, TensorSpec>([
      ...state.specs,
      ...trained.map(([name, spec]) => [firstMomentOf(name), spec] as const),
      ...trained.map(([name, spec]) => [secondMomentOf(name), spec] as const),
      ...program.inputs,
      [STEP_SCALARS, { shape: [STEP_SCALAR_COUNT], dtype: 'float32' }],
    ]);
    const record = (tensors: Map<string, Tensor>) => {
      const { gradients, results } = differentiate(program, state, tensors);
      const scalars = splitScalars(tensors.get(STEP_SCALARS) as Tensor);
      const norm = gradientNorm([...gradients.values()]);
      const factor = clipFactor(norm, scalars);
      const outputs = new Map<string, Tensor>([...results, [GRADIENT_NORM, norm]]);
      for (const [name, gradient] of gradients) {
        const current = {
          value: tensors.get(name) as Tensor,
          gradient: tf.mul(gradient, factor),
          first: tensors.get(firstMomentOf(name)) as Tensor,
          second: tensors.get(secondMomentOf(name)) as Tensor,
        };
        const next = adamw(current, state.rule(name), scalars, state.constants);
        outputs.set(updateOf(name), next.value);
        outputs.set(nextFirstMomentOf(name), next.first);
        outputs.set(nextSecondMomentOf(name), next.second);
      }
      return outputs;
    };
    return trace(inputs, record, this.#target());
  }

  #target() {
    return { fusedOperators: this.device === 'cpu' };
  }

  async #createSession(
    graph: FinishedGraph,
    start: number,
    frozen?: OrtState,
  ): Promise<{ session: number; info: CompileInfo }> {
    const places = frozen && externalLayout([...frozen.specs].map(([name, { shape }]) => ({ name, shape }))).places;
    const model = writeOnnx(graph, places);
    const traceMs = performance.now() - start;
    const settings = {
      device: this.device,
      threads: this.threads,
      ...(this.#profile === undefined ? {} : { profile: this.#profile }),
    };
    const { session, milliseconds } = await this.#client.call('createSession', {
      model,
      settings,
      ...(frozen ? { frozenState: frozen.id } : {}),
    });
    return { session, info: { traceMs, sessionMs: milliseconds, nodes: graph.nodes.length, bytes: model.length } };
  }
}

/** Keeps the names of a program's outputs apart from those of loss, gradients and state. */
const OUTPUT_PREFIX = 'output:';

/** Runs the program and its backward pass. `results`: loss and outputs; `outputs`: these and the gradients. */
function differentiate(program: TrainingProgram, state: OrtState, tensors: ReadonlyMap<string, Tensor>) {
  const trained = [...state.specs.keys()].filter((name) => state.rule(name).trained);
  const [parameters, inputs] = [pick(tensors, state.specs), pick(tensors, program.inputs)];
  const results = new Map<string, Tensor>();
  const values = trained.map((name) => tensors.get(name) as Tensor);
  if (values.length === 0) throw new EngineError('no parameter of the state is trained: there is no step to compile');
  const loss = (): Scalar => {
    const outcome = program.run({ parameters, inputs });
    for (const [name, tensor] of outcome.outputs) results.set(OUTPUT_PREFIX + name, tf.keep(tensor));
    return outcome.loss;
  };
  // Unlike tf.valueAndGrads this tells which parameter has no gradient.
  const { value, grads } = tf.engine().gradients(loss, values, undefined, true);
  if (value.rank !== 0) throw new EngineError(`the loss must be one number, found shape [${value.shape.join(', ')}]`);
  const unused = trained.filter((_, i) => !grads[i]);
  if (unused.length > 0) {
    throw new EngineError(`the loss does not depend on parameter ${unused.join(', ')}: use it or do not train it`);
  }
  results.set(LOSS, value);
  const gradients = new Map(trained.map((name, i) => [name, grads[i] as Tensor]));
  const named = [...gradients].map(([name, gradient]) => [gradientOf(name), gradient] as const);
  return { gradients, results, outputs: new Map([...results, ...named]) };
}

function pick(tensors: ReadonlyMap<string, Tensor>, specs: TensorSpecs): Map<string, Tensor> {
  return new Map([...specs.keys()].map((name) => [name, tensors.get(name) as Tensor]));
}

/** Inputs with their shapes, checked. */
function fed(inputs: ReadonlyMap<string, TensorValues>, specs: TensorSpecs): FedTensor[] {
  return [...specs].map(([name, { shape, dtype }]) => {
    const values = inputs.get(name);
    const length = shape.reduce((product, size) => product * size, 1);
    const fits = dtype === 'int32' ? values instanceof Int32Array : values instanceof Float32Array;
    if (!values || !fits || values.length !== length) {
      throw new EngineError(
        `input ${name} must be ${dtype} [${shape.join(', ')}] (${length} elements), ` +
          `found ${values ? `${values.constructor.name} of ${values.length}` : 'nothing'}`,
      );
    }
    return { name, shape, values };
  });
}

/** Buffers that a batch owns alone and that can move instead of being copied. */
function buffers(inputs: ReadonlyMap<string, TensorValues>): ArrayBuffer[] {
  const unique = new Set<ArrayBuffer>();
  for (const { buffer, byteLength } of inputs.values()) {
    if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) unique.add(buffer);
  }
  return [...unique];
}

function received(outputs: readonly FedTensor[]): Map<string, TensorValues> {
  return new Map(outputs.map(({ name, values }) => [name.slice(OUTPUT_PREFIX.length), values]));
}
