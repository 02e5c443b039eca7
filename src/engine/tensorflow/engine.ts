/**
 * Engine `tensorflow`: programs run op by op on TensorFlow, through tfjs's bindings for Node. The package is optional
 * and is loaded when the engine is made.
 */
import { EngineError } from '../../base/errors.js';
import type { DeviceOf } from '../targets.js';
import { type Tensor, tf } from '../tf.js';
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
import { registerKernels } from './kernels/index.js';
import { type Library, loadLibrary } from './library.js';
import { TensorflowState } from './state.js';
import { inferenceStep, trainingStep } from './step.js';
import { turn } from './turn.js';

export interface TensorflowEngineOptions {
  readonly device?: DeviceOf<'tensorflow'>;
  /**
   * Threads of one operator on the CPU; default: `TF_NUM_INTRAOP_THREADS`, else the cores this process may use. A process
   * keeps the number of its first engine.
   */
  readonly threads?: number;
}

/** Nothing is compiled: programs run as they are. */
const NO_COMPILATION: CompileInfo = { traceMs: 0, sessionMs: 0, nodes: 0, bytes: 0 };

/**
 * @throws EngineError when `threads` is not a positive integer, the package is not installed or cannot be loaded, or its
 * library does not have the device.
 */
export function createTensorflowEngine({ device = 'cpu', threads }: TensorflowEngineOptions = {}): Engine {
  if (threads !== undefined && (!Number.isInteger(threads) || threads < 1)) {
    throw new EngineError(`threads must be a positive integer, found ${threads}`);
  }
  const library = loadLibrary(device, threads);
  registerKernels();
  return new TensorflowEngine(library);
}

class TensorflowEngine implements Engine {
  readonly name = 'tensorflow';
  readonly device: DeviceOf<'tensorflow'>;
  readonly threads: number;
  readonly version: string;
  readonly #states = new Set<TensorflowState>();
  readonly #frozen = new Set<InferenceStep>();
  #disposed = false;

  constructor({ device, threads, version }: Library) {
    this.device = device;
    this.threads = threads;
    this.version = version;
  }

  createState(entries: ReadonlyMap<string, StateEntry>, constants: AdamWConstants): Promise<State> {
    return turn(() => {
      this.#check();
      const state = new TensorflowState(entries, constants);
      this.#states.add(state);
      return state;
    });
  }

  async compileTraining(
    program: TrainingProgram,
    state: State,
  ): Promise<TrainingStep & { readonly info: CompileInfo }> {
    this.#check();
    return { ...trainingStep(program, TensorflowState.of(state)), info: NO_COMPILATION };
  }

  async compileInference(
    program: InferenceProgram,
    state: State,
    { frozen }: { readonly frozen: boolean },
  ): Promise<InferenceStep & { readonly info: CompileInfo }> {
    this.#check();
    const owned = TensorflowState.of(state);
    // A tensor keeps the values that its variable has now, and outlives the state; it costs a copy only if that changes.
    const kept = frozen ? await turn(() => keepAll(owned.tensors())) : undefined;
    const step = inferenceStep(program, owned, kept);
    if (kept) this.#frozen.add(step);
    return { ...step, info: NO_COMPILATION };
  }

  /** Frees states and frozen programs; the library stays loaded. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    await Promise.all([...this.#states, ...this.#frozen].map((kept) => kept.dispose()));
    this.#states.clear();
    this.#frozen.clear();
  }

  #check(): void {
    if (this.#disposed) throw new EngineError('internal: the engine was disposed of');
  }
}

/** Takes the tensors out of the current scope. */
function keepAll(tensors: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  return new Map([...tensors].map(([name, tensor]) => [name, tf.keep(tensor)]));
}
