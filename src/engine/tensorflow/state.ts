/** Parameters and moments as variables on TensorFlow's device, and AdamW over them. */
import { EngineError } from '../../base/errors.js';
import { elementCount } from '../../base/shape.js';
import { orderedMoments } from '../moments.js';
import type { TensorSpec, TensorSpecs } from '../tensor-spec.js';
import { type Tensor, tf } from '../tf.js';
import type { AdamWConstants, OptimiserState, ParameterRule, State, StateEntry, StepSettings } from '../types.js';
import { onTensorflow } from './library.js';
import { attribute, ids, operators } from './operators.js';
import { turn } from './turn.js';
import { Variable } from './variable.js';

interface Parameter {
  readonly value: Variable;
  readonly rule: ParameterRule;
  /** Absent where the parameter is not trained. */
  readonly moments?: { readonly first: Variable; readonly second: Variable };
}

export class TensorflowState implements State {
  readonly specs: TensorSpecs;
  readonly #constants: AdamWConstants;
  readonly #parameters: Map<string, Parameter>;
  /** Sums of gradients that wait for the next step; kept beyond every scope. */
  #sums: Map<string, Tensor> | undefined;
  /** How many gradients are in the sums. */
  #parts = 0;
  /** Optimiser steps done. */
  #step = 0;
  #disposed = false;

  constructor(entries: ReadonlyMap<string, StateEntry>, constants: AdamWConstants) {
    this.specs = new Map([...entries].map(([name, { spec }]) => [name, spec]));
    this.#constants = constants;
    this.#parameters = onTensorflow(
      () => new Map([...entries].map(([name, entry]) => [name, parameter(entry)] as const)),
    );
  }

  /** @throws EngineError when `state` was made by another engine or was disposed of. */
  static of(state: State): TensorflowState {
    if (!(state instanceof TensorflowState)) throw new EngineError('internal: the state belongs to another engine');
    if (state.#disposed) throw new EngineError('internal: the state was disposed of');
    return state;
  }

  read(): Promise<Map<string, Float32Array>> {
    return turn(() => {
      TensorflowState.of(this);
      return new Map([...this.#parameters].map(([name, { value }]) => [name, value.read()]));
    });
  }

  write(values: ReadonlyMap<string, Float32Array>): Promise<void> {
    return turn(() => {
      TensorflowState.of(this);
      for (const [name, source] of values) {
        const target = this.#parameters.get(name);
        if (!target) throw new EngineError(`internal: the state has no parameter ${name}`);
        const count = elementCount(target.value.shape);
        if (count !== source.length) {
          throw new EngineError(`internal: parameter ${name} has ${count} elements, ${source.length} were given`);
        }
        target.value.write(source);
      }
    });
  }

  readOptimiser(): Promise<OptimiserState> {
    return turn(() => {
      TensorflowState.of(this);
      const first = new Map<string, Float32Array>();
      const second = new Map<string, Float32Array>();
      for (const [name, { moments }] of this.#parameters) {
        if (!moments) continue;
        first.set(name, moments.first.read());
        second.set(name, moments.second.read());
      }
      return { step: this.#step, first, second };
    });
  }

  writeOptimiser(state: OptimiserState): Promise<void> {
    return turn(() => {
      TensorflowState.of(this);
      const trained = this.trained();
      const { first, second } = orderedMoments(state, this.specs, trained);
      for (const [i, name] of trained.entries()) {
        const { moments } = this.#parameters.get(name) as Parameter;
        moments?.first.write(first[i] as Float32Array);
        moments?.second.write(second[i] as Float32Array);
      }
      this.#step = state.step;
    });
  }

  dispose(): Promise<void> {
    return turn(() => {
      if (this.#disposed) return;
      this.#disposed = true;
      this.forgetGradients();
      for (const { value, moments } of this.#parameters.values()) {
        for (const variable of [value, moments?.first, moments?.second]) variable?.dispose();
      }
      this.#parameters.clear();
    });
  }

  /** Names of the parameters that the optimiser changes, in order. */
  trained(): string[] {
    return [...this.#parameters].filter(([, { moments }]) => moments !== undefined).map(([name]) => name);
  }

  /** The parameters as tensors of the current scope. */
  tensors(): Map<string, Tensor> {
    return new Map([...this.#parameters].map(([name, { value }]) => [name, value.tensor()]));
  }

  /** Adds gradients to those that wait for the next step. */
  keepGradients(gradients: ReadonlyMap<string, Tensor>): void {
    const before = this.#sums;
    const sums = [...gradients].map(([name, gradient]) => {
      const sum = before?.get(name);
      return [name, tf.keep(sum ? tf.add(sum, gradient) : tf.clone(gradient))] as const;
    });
    for (const sum of before?.values() ?? []) sum.dispose();
    this.#sums = new Map(sums);
    this.#parts += 1;
  }

  /** Forgets the gradients that wait. */
  forgetGradients(): void {
    for (const sum of this.#sums?.values() ?? []) sum.dispose();
    this.#sums = undefined;
    this.#parts = 0;
  }

  /** The mean of `gradients` and those that wait; none wait afterwards. */
  meanGradients(gradients: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
    const sums = this.#sums;
    if (!sums) return gradients;
    const share = 1 / (this.#parts + 1);
    const mean = new Map(
      [...gradients].map(([name, gradient]) => [name, tf.mul(tf.add(sums.get(name) as Tensor, gradient), share)]),
    );
    this.forgetGradients();
    return mean;
  }

  /** One AdamW step. @param scale factor on every gradient (clipping) */
  applyGradients(gradients: ReadonlyMap<string, Tensor>, { learningRate }: StepSettings, scale: number): void {
    this.#step += 1;
    const { beta1, beta2, epsilon } = this.#constants;
    const [power1, power2] = [beta1 ** this.#step, beta2 ** this.#step];
    // TensorFlow divides by sqrt(second) + epsilon and puts the root of the correction into the rate.
    const constants = [beta1, beta2, epsilon * Math.sqrt(1 - power2)].map((value) => tf.scalar(value));
    const powers = [power1, power2].map((value) => tf.scalar(value));
    for (const [name, gradient] of gradients) {
      const { value, rule, moments } = this.#parameters.get(name) as Parameter;
      if (!moments) continue;
      const rate = learningRate * rule.learningRateScale;
      const decay = 1 - rate * rule.weightDecay;
      if (decay !== 1) {
        const before = value.tensor();
        value.assign(tf.mul(before, decay));
        before.dispose();
      }
      const scaled = scale === 1 ? gradient : tf.mul(gradient, scale);
      operators(
        'ResourceApplyAdam',
        [
          ...[value, moments.first, moments.second].map(({ handle }) => handle),
          ...ids([...powers, tf.scalar(rate), ...constants, scaled]),
        ],
        [attribute.float32('T'), attribute.bool('use_locking', false), attribute.bool('use_nesterov', false)],
        0,
      );
    }
  }
}

function parameter({ spec, values, rule }: StateEntry): Parameter {
  const { shape } = spec as TensorSpec;
  const value = new Variable(shape, values);
  if (!rule.trained) return { value, rule };
  return { value, rule, moments: { first: new Variable(shape), second: new Variable(shape) } };
}
