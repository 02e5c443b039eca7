/** A state in the host's memory: its tensors, step count and optimiser. */
import { elementCount } from '../../base/shape.js';
import type { AdamWConstants, StepSettings } from '../types.js';
import { HostOptimiser } from './host-optimiser.js';
import { allocateState, type ParameterSlots } from './state-memory.js';
import { stepScalars } from './step-scalars.js';
import { checkValues, type Moments, type StepState, type Tensors } from './step-state.js';
import {
  firstMomentOf,
  gradientOf,
  nextFirstMomentOf,
  nextSecondMomentOf,
  type OptimiserPlace,
  type ParameterLayout,
  secondMomentOf,
  updateOf,
} from './worker-protocol.js';

export class HostState implements StepState {
  readonly place: OptimiserPlace;
  readonly layout: readonly ParameterLayout[];
  readonly #parameters: Map<string, ParameterSlots>;
  readonly #constants: AdamWConstants;
  readonly #optimiser: HostOptimiser;
  /** Sums of gradients that wait for the next step, in the order of `trained()`; made when they are needed. */
  #sums: Float32Array[] | undefined;
  /** How many gradients are in the sums. */
  #parts = 0;
  /** Optimiser steps done. */
  step = 0;

  constructor(
    layout: readonly ParameterLayout[],
    values: readonly Float32Array[],
    constants: AdamWConstants,
    place: OptimiserPlace,
  ) {
    this.place = place;
    this.layout = layout;
    this.#constants = constants;
    this.#optimiser = new HostOptimiser(constants);
    this.#parameters = allocateState(layout, place);
    this.#set(layout.map(({ name }, i) => [name, values[i] as Float32Array]));
  }

  async values(): Promise<readonly Float32Array[]> {
    return [...this.#parameters.values()].map(({ value }) => value.values);
  }

  async write(values: readonly (readonly [string, Float32Array])[]): Promise<void> {
    this.#set(values);
  }

  async readMoments(): Promise<Moments> {
    const trained = this.trained();
    return {
      first: trained.map(({ first }) => (first as { values: Float32Array }).values.slice()),
      second: trained.map(({ second }) => (second as { values: Float32Array }).values.slice()),
    };
  }

  async writeMoments(first: readonly Float32Array[], second: readonly Float32Array[]): Promise<void> {
    this.trained().forEach((slots, i) => {
      slots.first?.values.set(first[i] as Float32Array);
      slots.second?.values.set(second[i] as Float32Array);
    });
  }

  feeds(wanted: ReadonlySet<string>): Tensors {
    const tensors: Tensors = {};
    for (const [name, { value, first, second }] of this.#parameters) {
      if (wanted.has(name)) tensors[name] = value.tensor;
      if (first && wanted.has(firstMomentOf(name))) tensors[firstMomentOf(name)] = first.tensor;
      if (second && wanted.has(secondMomentOf(name))) tensors[secondMomentOf(name)] = second.tensor;
    }
    return tensors;
  }

  fetches(): Tensors {
    const tensors: Tensors = {};
    for (const [name, { gradient, next }] of this.#parameters) {
      if (gradient) tensors[gradientOf(name)] = gradient.tensor;
      if (!next) continue;
      tensors[updateOf(name)] = next.value.tensor;
      tensors[nextFirstMomentOf(name)] = next.first.tensor;
      tensors[nextSecondMomentOf(name)] = next.second.tensor;
    }
    return tensors;
  }

  /** Parameters that the optimiser changes, in order. */
  trained(): ParameterSlots[] {
    return [...this.#parameters.values()].filter(({ layout }) => layout.rule.trained);
  }

  /** Adds the gradients that a graph has written to those that wait for the next step. */
  keepGradients(): void {
    const trained = this.trained();
    this.#sums ??= trained.map(({ layout }) => new Float32Array(elementCount(layout.shape)));
    for (const [i, { gradient }] of trained.entries()) {
      const [sum, own] = [this.#sums[i] as Float32Array, (gradient as { values: Float32Array }).values];
      if (this.#parts === 0) sum.set(own);
      else for (let k = 0; k < sum.length; k++) sum[k] += own[k] as number;
    }
    this.#parts += 1;
  }

  /** Forgets the gradients that wait. */
  forgetGradients(): void {
    this.#parts = 0;
  }

  /** Puts the mean over those that wait and the one just written in the place of the latter; none wait afterwards. */
  meanGradients(): void {
    if (this.#parts === 0) return;
    const share = 1 / (this.#parts + 1);
    for (const [i, { gradient }] of this.trained().entries()) {
      const [sum, own] = [this.#sums?.[i] as Float32Array, (gradient as { values: Float32Array }).values];
      for (let k = 0; k < sum.length; k++) own[k] = ((own[k] as number) + (sum[k] as number)) * share;
    }
    this.#parts = 0;
  }

  gradientNorm(): number {
    return this.#optimiser.gradientNorm(this.#parameters.values());
  }

  /** One AdamW step on the host. */
  applyGradients(settings: StepSettings, scale: number): void {
    this.step += 1;
    this.#optimiser.step(this.#parameters.values(), this.step, settings, scale);
  }

  nextScalars(settings: StepSettings): Float32Array {
    return stepScalars(this.step + 1, settings, this.#constants);
  }

  /** Current and next buffers change places. */
  accept(): void {
    this.step += 1;
    for (const slots of this.#parameters.values()) {
      if (!slots.next || !slots.first || !slots.second) continue;
      const { value, first, second } = slots;
      Object.assign(slots, slots.next);
      slots.next = { value, first, second };
    }
  }
  reject(): void {
    // The next buffers are written again by the next run.
  }

  async leave(): Promise<void> {
    // Sessions write into its own memory.
  }

  async dispose(): Promise<void> {
    // Its memory is collected with it.
  }

  #set(values: readonly (readonly [string, Float32Array])[]): void {
    checkValues(values, this.#parameters);
    for (const [name, source] of values) this.#parameters.get(name)?.value.values.set(source);
  }
}
