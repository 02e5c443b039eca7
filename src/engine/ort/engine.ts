/**
 * Engine `ort`: programs are traced into one ONNX graph, forward, backward and (on devices other than the CPU) the
 * optimiser, and run by onnxruntime in a worker thread.
 */
import { availableParallelism } from 'node:os';
import { EngineError } from '../../base/errors.js';
import { diverged } from '../diverged.js';
import { fed } from '../fed.js';
import { installedVersion } from '../installed-version.js';
import type { DeviceOf } from '../targets.js';
import type { TensorValues } from '../tensor-spec.js';
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
import { checkDevice } from './device-check.js';
import { externalLayout } from './external-layout.js';
import { buffers, received } from './feeding.js';
import type { FinishedGraph } from './graph.js';
import { writeOnnx } from './onnx-writer.js';
import { OrtState } from './ort-state.js';
import { gradientGraph, inferenceGraph, OUTPUT_PREFIX, updateGraph } from './program-graph.js';
import type { TraceTarget } from './trace/backend.js';
import { WorkerClient } from './worker-client.js';
import { isNextState, type OptimiserPlace, type SessionSettings } from './worker-protocol.js';

/** Devices that engine ort can be asked for. */
export type OrtDevice = DeviceOf<'ort'>;
/** Devices whose tensors onnxruntime's binding for Node leaves there between runs. Of others every run copies them. */
const RESIDENT_DEVICES: ReadonlySet<OrtDevice> = new Set(['webgpu']);

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
  readonly version = installedVersion('onnxruntime-node') ?? 'unknown';
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

  /** @throws EngineError in one line when the device cannot be used. */
  async createState(entries: ReadonlyMap<string, StateEntry>, constants: AdamWConstants): Promise<State> {
    const layout = [...entries].map(([name, { spec, rule }]) => ({ name, shape: spec.shape, rule }));
    const values = [...entries.values()].map((entry) => entry.values);
    const place = this.#optimiser;
    const device = this.#resident ? { device: this.#settings([]) } : {};
    await checkDevice(this.device);
    const { state } = await this.#client.call('createState', { layout, values, constants, place, ...device });
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
    const build = owned.place === 'host' ? gradientGraph : updateGraph;
    const graph = await build(program, owned, this.#target());
    const outputs = graph.outputs.map(({ name }) => name).filter((name) => name.startsWith(OUTPUT_PREFIX));
    const { session, info } = await this.#createSession(graph, start);
    const request = (inputs: ReadonlyMap<string, TensorValues>) => ({
      session,
      state: owned.id,
      inputs: fed(inputs, program.inputs),
      outputs,
    });
    const client = this.#client;
    const accumulate = async (inputs: ReadonlyMap<string, TensorValues>) => {
      const reply = await client.call('accumulate', request(inputs), buffers(inputs));
      if (!reply.finite) throw diverged(reply.loss);
      return { loss: reply.loss, outputs: received(reply.outputs) };
    };
    return {
      info,
      ...(owned.place === 'host' ? { accumulate } : {}),
      async run(inputs, settings) {
        const reply = await client.call('train', { ...request(inputs), settings }, buffers(inputs));
        if (!reply.finite) throw diverged(reply.loss, reply.gradientNorm);
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
    const graph = await inferenceGraph(program, owned.specs, this.#target());
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

  #target(): TraceTarget {
    return { fusedOperators: this.device === 'cpu' };
  }

  /** Whether the state stays on the device. */
  get #resident(): boolean {
    return this.#optimiser === 'graph' && RESIDENT_DEVICES.has(this.device);
  }

  #settings(outputs: readonly string[]): SessionSettings {
    return {
      device: this.device,
      threads: this.threads,
      ...(this.#profile === undefined ? {} : { profile: this.#profile }),
      ...(this.#resident ? { resident: outputs.filter(isNextState) } : {}),
    };
  }

  async #createSession(
    graph: FinishedGraph,
    start: number,
    frozen?: OrtState,
  ): Promise<{ session: number; info: CompileInfo }> {
    const places = frozen && externalLayout([...frozen.specs].map(([name, { shape }]) => ({ name, shape }))).places;
    const model = writeOnnx(graph, places);
    const traceMs = performance.now() - start;
    const settings = this.#settings(graph.outputs.map(({ name }) => name));
    const { session, milliseconds } = await this.#client.call('createSession', {
      model,
      settings,
      ...(frozen ? { frozenState: frozen.id } : {}),
    });
    return { session, info: { traceMs, sessionMs: milliseconds, nodes: graph.nodes.length, bytes: model.length } };
  }
}
