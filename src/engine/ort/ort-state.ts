/** Handle on a state that lives in the engine's worker. */
import { EngineError } from '../../base/errors.js';
import { orderedMoments } from '../moments.js';
import type { TensorSpecs } from '../tensor-spec.js';
import type { AdamWConstants, OptimiserState, ParameterRule, State } from '../types.js';
import type { WorkerClient } from './worker-client.js';
import type { OptimiserPlace } from './worker-protocol.js';

export class OrtState implements State {
  readonly id: number;
  readonly specs: TensorSpecs;
  readonly constants: AdamWConstants;
  readonly place: OptimiserPlace;
  readonly #client: WorkerClient;
  readonly #rules: ReadonlyMap<string, ParameterRule>;

  constructor(
    client: WorkerClient,
    id: number,
    specs: TensorSpecs,
    rules: ReadonlyMap<string, ParameterRule>,
    constants: AdamWConstants,
    place: OptimiserPlace,
  ) {
    this.#client = client;
    this.id = id;
    this.specs = specs;
    this.#rules = rules;
    this.constants = constants;
    this.place = place;
  }

  /** @throws EngineError when `state` was made by another engine. */
  static of(state: State): OrtState {
    if (state instanceof OrtState) return state;
    throw new EngineError('internal: the state belongs to another engine');
  }

  rule(name: string): ParameterRule {
    const rule = this.#rules.get(name);
    if (!rule) throw new EngineError(`internal: the state has no parameter ${name}`);
    return rule;
  }

  async read(): Promise<Map<string, Float32Array>> {
    const { values } = await this.#client.call('readState', { state: this.id });
    return new Map([...this.specs.keys()].map((name, i) => [name, values[i] as Float32Array]));
  }

  async write(values: ReadonlyMap<string, Float32Array>): Promise<void> {
    await this.#client.call('writeState', { state: this.id, values: [...values] });
  }

  async readOptimiser(): Promise<OptimiserState> {
    const { step, first, second } = await this.#client.call('readOptimiser', { state: this.id });
    const trained = this.trained();
    const named = (lists: readonly Float32Array[]) =>
      new Map(trained.map((name, i) => [name, lists[i] as Float32Array]));
    return { step, first: named(first), second: named(second) };
  }

  async writeOptimiser(state: OptimiserState): Promise<void> {
    const moments = orderedMoments(state, this.specs, this.trained());
    await this.#client.call('writeOptimiser', { state: this.id, step: state.step, ...moments });
  }

  async dispose(): Promise<void> {
    await this.#client.call('disposeState', { state: this.id });
  }

  /** Names of the parameters that the optimiser changes, in order. */
  trained(): string[] {
    return [...this.specs.keys()].filter((name) => this.rule(name).trained);
  }
}
