/**
 * What an engine is: something that keeps parameters (`State`) and runs compiled programs over them. Programs are pure
 * functions of tensors written in tfjs ops; an engine may trace them into a graph or run them op by op.
 */
import type { TensorSpec, TensorSpecs, TensorValues } from './tensor-spec.js';
import type { Scalar, Tensor } from './tf.js';

/** Tensors by name, as a program sees them. */
export type NamedTensors = ReadonlyMap<string, Tensor>;

/** What a program is given. */
export interface ProgramTensors {
  /** Every tensor of the state. */
  readonly parameters: NamedTensors;
  /** What the caller feeds at every run. */
  readonly inputs: NamedTensors;
}

/** A forward pass without training. */
export interface InferenceProgram {
  readonly inputs: TensorSpecs;
  /** @returns outputs by name; must be pure. */
  readonly run: (tensors: ProgramTensors) => Map<string, Tensor>;
}

/** A forward pass that ends in a loss; the engine adds backward pass and optimiser. */
export interface TrainingProgram {
  readonly inputs: TensorSpecs;
  /** @returns the scalar to minimise and what else is wanted of the step (logits, parts of the loss). */
  readonly run: (tensors: ProgramTensors) => { loss: Scalar; outputs: Map<string, Tensor> };
}

/** How one parameter is trained. */
export interface ParameterRule {
  /** False: the tensor is read by programs and never changed; it costs no gradient and no moments. */
  readonly trained: boolean;
  /** Decoupled weight decay coefficient (AdamW, Loshchilov & Hutter 2019). */
  readonly weightDecay: number;
  /** Factor on the step's learning rate (layer-wise decay). */
  readonly learningRateScale: number;
}

/** Constants of AdamW that hold for a whole run. */
export interface AdamWConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** One parameter at the start. */
export interface StateEntry {
  readonly spec: TensorSpec;
  readonly values: Float32Array;
  readonly rule: ParameterRule;
}

/** Values of the optimiser beside the parameters: first and second moments by parameter, and the number of steps. */
export interface OptimiserState {
  readonly step: number;
  readonly first: ReadonlyMap<string, Float32Array>;
  readonly second: ReadonlyMap<string, Float32Array>;
}

/** Parameters, gradients and moments, living where the engine computes. */
export interface State {
  readonly specs: TensorSpecs;
  /** Copies of the parameters as they are now. */
  read(): Promise<Map<string, Float32Array>>;
  /** Replaces parameter values (all or some). */
  write(values: ReadonlyMap<string, Float32Array>): Promise<void>;
  /** Copies of moments and step count, for a resumable run. */
  readOptimiser(): Promise<OptimiserState>;
  writeOptimiser(state: OptimiserState): Promise<void>;
  dispose(): Promise<void>;
}

/** What changes from step to step. */
export interface StepSettings {
  readonly learningRate: number;
  /** Largest allowed 2-norm of all gradients together; larger ones are scaled down. Undefined: no clipping. */
  readonly clipNorm?: number;
}

/** What one training step gives back. */
export interface StepResult {
  readonly loss: number;
  /** 2-norm of all gradients together before clipping; undefined unless clipping is on. */
  readonly gradientNorm?: number;
  readonly outputs: ReadonlyMap<string, TensorValues>;
}

/** A compiled training step. Its gradients belong to `state`. */
export interface TrainingStep {
  /**
   * Forward, backward and AdamW on one batch. `inputs` may be detached (moved to the engine's thread).
   * @throws TrainingError when the loss or the gradient norm is not a finite number; the state is then unchanged.
   */
  run(inputs: ReadonlyMap<string, TensorValues>, settings: StepSettings): Promise<StepResult>;
  /**
   * Forward and backward on a part of a batch. Its gradient is kept with the state, and the next `run` steps along the mean
   * over all parts, its own the last. Absent where the optimiser is part of the compiled step.
   * @throws TrainingError when the loss is not a finite number; what was kept is then forgotten.
   */
  readonly accumulate?: (inputs: ReadonlyMap<string, TensorValues>) => Promise<StepResult>;
  /** Forward and backward only: the loss, outputs and the gradient of every trained parameter. */
  gradients(inputs: ReadonlyMap<string, TensorValues>): Promise<{
    loss: number;
    outputs: ReadonlyMap<string, TensorValues>;
    gradients: ReadonlyMap<string, Float32Array>;
  }>;
  dispose(): Promise<void>;
}

/** A compiled forward pass. */
export interface InferenceStep {
  run(inputs: ReadonlyMap<string, TensorValues>): Promise<ReadonlyMap<string, TensorValues>>;
  dispose(): Promise<void>;
}

/** What a compilation cost and made, for logs and performance notes. */
export interface CompileInfo {
  readonly traceMs: number;
  readonly sessionMs: number;
  readonly nodes: number;
  readonly bytes: number;
}

/** An engine on one device. */
export interface Engine {
  readonly name: string;
  readonly device: string;
  readonly threads: number;
  readonly version: string;
  createState(entries: ReadonlyMap<string, StateEntry>, constants: AdamWConstants): Promise<State>;
  compileTraining(program: TrainingProgram, state: State): Promise<TrainingStep & { readonly info: CompileInfo }>;
  /**
   * @param options.frozen the parameters will not change any more: they are built into the compiled program, which is
   * faster and uses more memory. Otherwise every run sees the state as it is then.
   */
  compileInference(
    program: InferenceProgram,
    state: State,
    options: { readonly frozen: boolean },
  ): Promise<InferenceStep & { readonly info: CompileInfo }>;
  dispose(): Promise<void>;
}
