/** Parameters and moments as variables on TensorFlow's device, and AdamW over them. */
import { EngineError } from '../../base/errors.js';
import { elementCount } from '../../base/shape.js';
import { orderedMoments } from '../moments.js';
import type { TensorSpecs } from '../tensor-spec.js';
import { type Tensor, tf } from '../tf.js';
import type { AdamWConstants, OptimiserState, State, StateEntry, StepSettings } from '../types.js';
import { adamw, type TrainedParameter } from './adamw.js';
import { turn } from './turn.js';
import { Variable } from './variable.js';

export class TensorflowState implements State {
  readonly specs: TensorSpecs;
  readonly #constants: AdamWConstants;
  readonly #values: ReadonlyMap<string, Variable>;
  /** Those of the parameters that the optimiser changes. */
  readonly #trained: ReadonlyMap<string, TrainedParameter>;
  /** Sums of gradients that wait for the next step; kept beyond every scope. */
  #sums: Map<string, Tensor> | undefined;
  /** How many gradients are in the sums. */
  #parts = 0;
  /** Optimiser steps done. */
  #step = 0;
  #disposed = false;

  /** Must be called with TensorFlow as tfjs's backend. */
  constructor(entries: ReadonlyMap<string, StateEntry>, constants: AdamWConstants) {
    this.specs = new Map([...entries].map(([name, { spec }]) => [name, spec]));
    this.#constants = constants;
    this.#values = new Map([...entries].map(([name, { spec, values }]) => [name, new Variable(spec.shape, values)]));
    this.#trained = new Map(
      [...entries]
        .filter(([, { rule }]) => rule.trained)
        .map(([name, entry]) => [name, trainedParameter(entry, this.#values.get(name) as Variable)]),
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
      return new Map([...this.#values].map(([name, value]) => [name, value.read()]));
    });
  }

  write(values: ReadonlyMap<string, Float32Array>): Promise<void> {
    return turn(() => {
      TensorflowState.of(this);
      for (const [name, source] of values) {
        const target = this.#values.get(name);
        if (!target) throw new EngineError(`internal: the state has no parameter ${name}`);
        const count = elementCount(target.shape);
        if (count !== source.length) {
          throw new EngineError(`internal: parameter ${name} has ${count} elements, ${source.length} were given`);
        }
        target.write(source);
      }
    });
  }

  readOptimiser(): Promise<OptimiserState> {
    return turn(() => {
      TensorflowState.of(this);
      const moments = (which: 'first' | 'second') =>
        new Map([...this.#trained].map(([name, parameter]) => [name, parameter[which].read()]));
      return { step: this.#step, first: moments('first'), second: moments('second') };
    });
  }

  writeOptimiser(state: OptimiserState): Promise<void> {
    return turn(() => {
      TensorflowState.of(this);
      const { first, second } = orderedMoments(state, this.specs, this.trained());
      for (const [i, parameter] of [...this.#trained.values()].entries()) {
        parameter.first.write(first[i] as Float32Array);
        parameter.second.write(second[i] as Float32Array);
      }
      this.#step = state.step;
    });
  }

  dispose(): Promise<void> {
    return turn(() => {
      if (this.#disposed) return;
      this.#disposed = true;
      this.forgetGradients();
      const moments = [...this.#trained.values()].flatMap(({ first, second }) => [first, second]);
      for (const variable of [...this.#values.values(), ...moments]) variable.dispose();
    });
  }

  /** Names of the parameters that the optimiser changes, in order. */
  trained(): string[] {
    return [...this.#trained.keys()];
  }

  /** The parameters as tensors of the current scope. */
  tensors(): Map<string, Tensor> {
    return new Map([...this.#values].map(([name, value]) => [name, value.tensor()]));
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
    const step = this.#step + 1;
    const trained = [...gradients.keys()].map((name) => this.#trained.get(name) as TrainedParameter);
    adamw(trained, [...gradients.values()], this.#constants, { learningRate, step, scale });
    this.#step = step;
  }
}

function trainedParameter({ spec, rule }: StateEntry, value: Variable): TrainedParameter {
  return { value, rule, first: new Variable(spec.shape), second: new Variable(spec.shape) };
}
