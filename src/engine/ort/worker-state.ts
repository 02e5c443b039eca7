/** A state as the engine's worker keeps it: memory, step count and optimiser. */
import { EngineError } from '../../base/errors.js';
import { elementCount } from '../../base/shape.js';
import type { AdamWConstants, StepSettings } from '../types.js';
import { HostOptimiser } from './host-optimiser.js';
import { allocateState, type ParameterSlots } from './state-memory.js';
import { stepScalars } from './step-scalars.js';
import type { OptimiserPlace, ParameterLayout } from './worker-protocol.js';

export class WorkerState {
  readonly parameters: Map<string, ParameterSlots>;
  readonly place: OptimiserPlace;
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
    this.#constants = constants;
    this.#optimiser = new HostOptimiser(constants);
    this.parameters = allocateState(layout, place);
    this.write(layout.map(({ name }, i) => [name, values[i] as Float32Array]));
  }

  read(): Float32Array[] {
    return [...this.parameters.values()].map(({ value }) => value.values.slice());
  }

  write(values: readonly (readonly [string, Float32Array])[]): void {
    for (const [name, source] of values) {
      const target = this.parameters.get(name)?.value.values;
      if (!target) throw new EngineError(`internal: the state has no parameter ${name}`);
      if (target.length !== source.length) {
        throw new EngineError(`internal: parameter ${name} has ${target.length} elements, ${source.length} were given`);
      }
      target.set(source);
    }
  }

  readMoments(): { first: Float32Array[]; second: Float32Array[] } {
    const trained = this.trained();
    return {
      first: trained.map(({ first }) => (first as { values: Float32Array }).values.slice()),
      second: trained.map(({ second }) => (second as { values: Float32Array }).values.slice()),
    };
  }

  writeMoments(first: readonly Float32Array[], second: readonly Float32Array[]): void {
    this.trained().forEach((slots, i) => {
      slots.first?.values.set(first[i] as Float32Array);
      slots.second?.values.set(second[i] as Float32Array);
    });
  }

  /** Parameters that the optimiser changes, in order. */
  trained(): ParameterSlots[] {
    return [...this.parameters.values()].filter(({ layout }) => layout.rule.trained);
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
    return this.#optimiser.gradientNorm(this.parameters.values());
  }

  /** One AdamW step on the host. */
  applyGradients(settings: StepSettings, scale: number): void {
    this.step += 1;
    this.#optimiser.step(this.parameters.values(), this.step, settings, scale);
  }

  /** The scalars that the next step's graph is fed when it holds the optimiser. */
  nextScalars(settings: StepSettings): Float32Array {
    return stepScalars(this.step + 1, settings, this.#constants);
  }

  /** Takes over what a graph with the optimiser has written: current and next buffers change places. */
  swap(): void {
    this.step += 1;
    for (const slots of this.parameters.values()) {
      if (!slots.next || !slots.first || !slots.second) continue;
      const { value, first, second } = slots;
      Object.assign(slots, slots.next);
      slots.next = { value, first, second };
    }
  }
}
