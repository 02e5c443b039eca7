/**
 * A state whose tensors stay on the device: a step's graph takes them as inputs and leaves the next ones there, and only
 * what is asked for is copied to the host.
 */
import type * as ort from 'onnxruntime-node';
import { elementCount } from '../../base/shape.js';
import type { AdamWConstants, StepSettings } from '../types.js';
import { DeviceCopies } from './device-copies.js';
import { stepScalars } from './step-scalars.js';
import { checkValues, type Moments, type StepState, type Tensors } from './step-state.js';
import {
  firstMomentOf,
  nextFirstMomentOf,
  nextSecondMomentOf,
  type ParameterLayout,
  type SessionSettings,
  secondMomentOf,
  updateOf,
} from './worker-protocol.js';

/** Tensors of a parameter that is trained. */
interface Trained {
  value: ort.Tensor;
  first: ort.Tensor;
  second: ort.Tensor;
}

interface Parameter {
  readonly layout: ParameterLayout;
  /** Without moments, when the parameter is not trained. */
  tensors: Trained | { value: ort.Tensor };
}

export class DeviceState implements StepState {
  readonly place = 'graph';
  readonly layout: readonly ParameterLayout[];
  step = 0;
  readonly #copies: DeviceCopies;
  readonly #constants: AdamWConstants;
  readonly #parameters: ReadonlyMap<string, Parameter>;
  /** The session that made the tensors of the trained parameters; undefined: `#copies` has made them. */
  #maker: number | undefined;

  private constructor(
    layout: readonly ParameterLayout[],
    copies: DeviceCopies,
    constants: AdamWConstants,
    parameters: ReadonlyMap<string, Parameter>,
  ) {
    this.layout = layout;
    this.#copies = copies;
    this.#constants = constants;
    this.#parameters = parameters;
  }

  /**
   * @param values one array for each entry of `layout`
   * @throws EngineError when the device cannot be used.
   */
  static async create(
    layout: readonly ParameterLayout[],
    values: readonly Float32Array[],
    constants: AdamWConstants,
    settings: SessionSettings,
  ): Promise<DeviceState> {
    const named = layout.map((entry, i) => [entry.name, values[i] as Float32Array] as const);
    checkValues(named, new Map(layout.map((entry) => [entry.name, { layout: entry }])));
    const copies = await DeviceCopies.open(settings);
    const parameters = new Map<string, Parameter>();
    const state = new DeviceState(layout, copies, constants, parameters);
    try {
      for (const [i, entry] of layout.entries()) {
        const value = await copies.upload(values[i] as Float32Array, entry.shape);
        const zeros = () => copies.upload(new Float32Array(elementCount(entry.shape)), entry.shape);
        const tensors = entry.rule.trained ? { value, first: await zeros(), second: await zeros() } : { value };
        parameters.set(entry.name, { layout: entry, tensors });
      }
    } catch (error) {
      await state.dispose();
      throw error;
    }
    return state;
  }

  async values(): Promise<Float32Array[]> {
    return this.#download([...this.#parameters.values()].map(({ tensors }) => tensors.value));
  }

  async write(values: readonly (readonly [string, Float32Array])[]): Promise<void> {
    checkValues(values, this.#parameters);
    for (const [name, source] of values) {
      const { layout, tensors } = this.#parameters.get(name) as Parameter;
      await this.#replace(tensors, 'value', source, layout);
    }
  }

  async readMoments(): Promise<Moments> {
    const trained = this.#trained();
    return {
      first: await this.#download(trained.map(({ tensors }) => tensors.first)),
      second: await this.#download(trained.map(({ tensors }) => tensors.second)),
    };
  }

  async writeMoments(first: readonly Float32Array[], second: readonly Float32Array[]): Promise<void> {
    for (const [i, { layout, tensors }] of this.#trained().entries()) {
      await this.#replace(tensors, 'first', first[i] as Float32Array, layout);
      await this.#replace(tensors, 'second', second[i] as Float32Array, layout);
    }
  }

  feeds(wanted: ReadonlySet<string>): Tensors {
    const tensors: Tensors = {};
    for (const [name, { tensors: own }] of this.#parameters) {
      if (wanted.has(name)) tensors[name] = own.value;
      if (!('first' in own)) continue;
      if (wanted.has(firstMomentOf(name))) tensors[firstMomentOf(name)] = own.first;
      if (wanted.has(secondMomentOf(name))) tensors[secondMomentOf(name)] = own.second;
    }
    return tensors;
  }

  fetches(): undefined {
    return undefined;
  }

  nextScalars(settings: StepSettings): Float32Array {
    return stepScalars(this.step + 1, settings, this.#constants);
  }

  accept(results: Tensors, session: number): void {
    this.step += 1;
    this.#maker = session;
    for (const { layout, tensors } of this.#trained()) {
      const next = nextOf(layout.name, results);
      disposeOf(tensors);
      Object.assign(tensors, next);
    }
  }

  reject(results: Tensors): void {
    for (const { layout } of this.#trained()) disposeOf(nextOf(layout.name, results));
  }

  async leave(session: number): Promise<void> {
    if (this.#maker !== session) return;
    this.#maker = undefined;
    for (const { tensors } of this.#trained()) {
      const { value, first, second } = tensors;
      const copy = (tensor: ort.Tensor) => this.#copies.duplicate(tensor);
      const own = { value: await copy(value), first: await copy(first), second: await copy(second) };
      disposeOf(tensors);
      Object.assign(tensors, own);
    }
  }

  async dispose(): Promise<void> {
    for (const { tensors } of this.#parameters.values()) disposeOf(tensors);
    await this.#copies.close();
  }

  #trained(): { readonly layout: ParameterLayout; readonly tensors: Trained }[] {
    return [...this.#parameters.values()].flatMap(({ layout, tensors }) =>
      'first' in tensors ? [{ layout, tensors }] : [],
    );
  }

  async #download(tensors: readonly ort.Tensor[]): Promise<Float32Array[]> {
    const values: Float32Array[] = [];
    for (const tensor of tensors) values.push(await this.#copies.download(tensor));
    return values;
  }

  async #replace<Key extends string>(
    tensors: Record<Key, ort.Tensor>,
    key: Key,
    values: Float32Array,
    { shape }: ParameterLayout,
  ): Promise<void> {
    const next = await this.#copies.upload(values, shape);
    tensors[key].dispose();
    tensors[key] = next;
  }
}

function nextOf(name: string, results: Tensors): Trained {
  return {
    value: results[updateOf(name)] as ort.Tensor,
    first: results[nextFirstMomentOf(name)] as ort.Tensor,
    second: results[nextSecondMomentOf(name)] as ort.Tensor,
  };
}

function disposeOf(tensors: Trained | { value: ort.Tensor }): void {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}
