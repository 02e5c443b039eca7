/**
 * Engine `tensorflow`: programs run op by op on TensorFlow, through tfjs's bindings for Node. The package is optional
 * and is loaded when the engine is made.
 */
import { EngineError } from '../../base/errors.js';
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
import type { TensorflowDevice } from './devices.js';
import { type Library, loadLibrary } from './library.js';
import { TensorflowState } from './state.js';
import { inferenceStep, trainingStep } from './step.js';
import { turn } from './turn.js';

export interface TensorflowEngineOptions {
  readonly device?: TensorflowDevice;
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
  return new TensorflowEngine(loadLibrary(device, threads));
}

class TensorflowEngine implements Engine {
  readonly name = 'tensorflow';
  readonly device: TensorflowDevice;
  readonly threads: number;
  readonly version: string;
  readonly #states = new Set<TensorflowState>();
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
  ): Promise<InferenceStep & { readonly info: CompileInfo }> {
    this.#check();
    return { ...inferenceStep(program, TensorflowState.of(state)), info: NO_COMPILATION };
  }

  /** Frees the states; the library stays loaded. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    await Promise.all([...this.#states].map((state) => state.dispose()));
    this.#states.clear();
  }

  #check(): void {
    if (this.#disposed) throw new EngineError('internal: the engine was disposed of');
  }
}
