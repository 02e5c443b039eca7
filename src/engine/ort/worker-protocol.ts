/** What is said between the engine (main thread) and its worker, which owns onnxruntime and all parameter memory. */

import type { FedTensor } from '../tensor-spec.js';
import type { AdamWConstants, ParameterRule, StepSettings } from '../types.js';

/** One parameter of a state: its shape and rule, without values. */
export interface ParameterLayout {
  readonly name: string;
  readonly shape: readonly number[];
  readonly rule: ParameterRule;
}

/** Where the optimiser runs: on the host over the graph's gradients, or inside the graph with the state as outputs. */
export type OptimiserPlace = 'host' | 'graph';

/** Options of an onnxruntime session. */
export interface SessionSettings {
  readonly device: string;
  readonly threads: number;
  /** File prefix of onnxruntime's profile, written when the session is released. */
  readonly profile?: string;
  /** Outputs that stay on the device; all others come to the host. */
  readonly resident?: readonly string[];
}

/** An input or output of a model, as onnxruntime tells it. */
export interface ModelValue {
  readonly name: string;
  /** Element type: `float32`, `int64` and so on; `none` for what is no tensor. */
  readonly type: string;
  /** Sizes that are not fixed have a name, or `?`. */
  readonly shape: readonly (number | string)[];
}

/** Requests by name: what is sent and what comes back. */
export interface Requests {
  createState: {
    request: {
      layout: readonly ParameterLayout[];
      values: readonly Float32Array[];
      constants: AdamWConstants;
      place: OptimiserPlace;
      /** How to open the device that the state stays on; absent: it lives in the host's memory. */
      device?: SessionSettings;
    };
    reply: { state: number };
  };
  readState: { request: { state: number }; reply: { values: Float32Array[] } };
  writeState: { request: { state: number; values: readonly (readonly [string, Float32Array])[] }; reply: object };
  readOptimiser: { request: { state: number }; reply: { step: number; first: Float32Array[]; second: Float32Array[] } };
  writeOptimiser: {
    request: { state: number; step: number; first: readonly Float32Array[]; second: readonly Float32Array[] };
    reply: object;
  };
  disposeState: { request: { state: number }; reply: object };
  createSession: {
    request: {
      model: Uint8Array;
      settings: SessionSettings;
      /** The state whose parameters are built in as constants, in the order and alignment of `externalLayout`. */
      frozenState?: number;
    };
    reply: { session: number; milliseconds: number };
  };
  /** A model of somebody else's: its path, or its bytes. */
  openModel: {
    request: { source: string | Uint8Array; settings: SessionSettings };
    reply: { session: number; inputs: readonly ModelValue[]; outputs: readonly ModelValue[] };
  };
  /** Values are converted to the types of the inputs, and outputs to float32; default: all that are numbers. */
  runModel: {
    request: { session: number; inputs: readonly FedTensor[]; outputs?: readonly string[] };
    reply: { outputs: FedTensor[] };
  };
  disposeSession: { request: { session: number }; reply: object };
  infer: {
    request: { session: number; state?: number; inputs: readonly FedTensor[]; outputs: readonly string[] };
    reply: { outputs: FedTensor[] };
  };
  gradients: {
    request: { session: number; state: number; inputs: readonly FedTensor[]; outputs: readonly string[] };
    reply: { loss: number; outputs: FedTensor[]; gradients: FedTensor[] };
  };
  accumulate: {
    request: { session: number; state: number; inputs: readonly FedTensor[]; outputs: readonly string[] };
    reply: { loss: number; finite: boolean; outputs: FedTensor[] };
  };
  train: {
    request: {
      session: number;
      state: number;
      inputs: readonly FedTensor[];
      outputs: readonly string[];
      settings: StepSettings;
    };
    reply: { loss: number; gradientNorm: number; finite: boolean; outputs: FedTensor[] };
  };
}

export type Method = keyof Requests;

export interface RequestMessage<M extends Method = Method> {
  readonly id: number;
  readonly method: M;
  readonly request: Requests[M]['request'];
}

export type ReplyMessage =
  | { readonly id: number; readonly reply: Requests[Method]['reply'] }
  | { readonly id: number; readonly error: string; readonly stack?: string };

/** Names of graph values that stand for a parameter's gradient, new value and new moments. */
export const LOSS = 'loss';
export const gradientOf = (name: string): string => `gradient:${name}`;
export const updateOf = (name: string): string => `update:${name}`;
export const firstMomentOf = (name: string): string => `first:${name}`;
export const secondMomentOf = (name: string): string => `second:${name}`;
export const nextFirstMomentOf = (name: string): string => `next-first:${name}`;
export const nextSecondMomentOf = (name: string): string => `next-second:${name}`;
/** What the names of outputs that are the next state begin with. */
const NEXT_STATE = [updateOf(''), nextFirstMomentOf(''), nextSecondMomentOf('')];
/** Whether an output of a graph that holds the optimiser is part of the next state. */
export const isNextState = (name: string): boolean => NEXT_STATE.some((prefix) => name.startsWith(prefix));
/** Scalars fed to a graph that holds the optimiser: `[4]`, see step-scalars.ts. */
export const STEP_SCALARS = 'step-scalars';
export const GRADIENT_NORM = 'gradient-norm';
