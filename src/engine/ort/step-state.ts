/** What the engine's worker needs of a state, wherever its tensors live: in the host's memory or on the device. */
import type * as ort from 'onnxruntime-node';
import { EngineError } from '../../base/errors.js';
import { elementCount } from '../../base/shape.js';
import type { StepSettings } from '../types.js';
import type { OptimiserPlace, ParameterLayout } from './worker-protocol.js';

/** Tensors by the name of a graph's input or output. */
export type Tensors = Record<string, ort.Tensor>;

/** First and second moments of the trained parameters, in order. */
export interface Moments {
  readonly first: Float32Array[];
  readonly second: Float32Array[];
}

export interface StepState {
  readonly place: OptimiserPlace;
  /** Its parameters, in order. */
  readonly layout: readonly ParameterLayout[];
  /** Optimiser steps done. */
  step: number;
  /** Parameter values as they are now, in order; possibly the memory itself, so to be read at once and not kept. */
  values(): Promise<readonly Float32Array[]>;
  /** @throws EngineError for an unknown name or another length; nothing is changed then. */
  write(values: readonly (readonly [string, Float32Array])[]): Promise<void>;
  readMoments(): Promise<Moments>;
  writeMoments(first: readonly Float32Array[], second: readonly Float32Array[]): Promise<void>;
  /** The state's tensors as inputs of a graph: those that are among `wanted`. */
  feeds(wanted: ReadonlySet<string>): Tensors;
  /** Memory that a graph writes gradients or the next state into. Undefined: the device makes it anew at each run. */
  fetches(): Tensors | undefined;
  /** The scalars that the next step's graph is fed when it holds the optimiser. */
  nextScalars(settings: StepSettings): Float32Array;
  /** Takes over the next state that a graph with the optimiser has given, among its other `results`. */
  accept(results: Tensors, session: number): void;
  /** Stays as it is, whatever the next state among `results` is. */
  reject(results: Tensors): void;
  /** To be awaited before a session is released: makes the state independent of it. */
  leave(session: number): Promise<void>;
  dispose(): Promise<void>;
}

/**
 * Checks values on their way into a state.
 *
 * @throws EngineError for an unknown name or another length.
 */
export function checkValues(
  values: readonly (readonly [string, Float32Array])[],
  layouts: { get(name: string): { readonly layout: ParameterLayout } | undefined },
): void {
  for (const [name, { length }] of values) {
    const layout = layouts.get(name)?.layout;
    if (!layout) throw new EngineError(`internal: the state has no parameter ${name}`);
    const count = elementCount(layout.shape);
    if (count !== length) {
      throw new EngineError(`internal: parameter ${name} has ${count} elements, ${length} were given`);
    }
  }
}
