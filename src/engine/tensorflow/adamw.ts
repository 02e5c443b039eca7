/** AdamW over variables, in place: TensorFlow's Adam, and the decay of the weight before it. */
import type { Tensor } from '../tf.js';
import type { AdamWConstants, ParameterRule } from '../types.js';
import { Scratch, type Value } from './scratch.js';
import type { Variable } from './variable.js';

/** A trained parameter. */
export interface TrainedParameter {
  readonly value: Variable;
  readonly rule: ParameterRule;
  readonly first: Variable;
  readonly second: Variable;
}

/** One step's numbers. */
export interface AdamWStep {
  readonly learningRate: number;
  /** Number of this step, from 1. */
  readonly step: number;
  /** Factor on every gradient (clipping). */
  readonly scale: number;
}

/** 2-norm of all gradients together. */
export function gradientNorm(gradients: readonly Tensor[]): number {
  const scratch = new Scratch();
  try {
    // The operator gives half of the squares' sum.
    const halves = scratch.tensors(gradients).map((gradient) => scratch.plain('L2Loss', gradient));
    return Math.sqrt(2 * scratch.read(scratch.addN(halves)));
  } finally {
    scratch.free();
  }
}

/** Changes `parameters` along their gradients, in the same order. */
export function adamw(
  parameters: readonly TrainedParameter[],
  gradients: readonly Tensor[],
  { beta1, beta2, epsilon }: AdamWConstants,
  { learningRate, step, scale }: AdamWStep,
): void {
  const scratch = new Scratch();
  try {
    const powers = [beta1 ** step, beta2 ** step].map((power) => scratch.changing(power));
    // TensorFlow divides by sqrt(second) + epsilon and puts the root of the correction into the rate.
    const shifted = scratch.changing(epsilon * Math.sqrt(1 - beta2 ** step));
    const constants = [scratch.number(beta1), scratch.number(beta2), shifted];
    const factor = scratch.changing(scale);
    const rates = new Map<number, Value>();
    const values = scratch.tensors(gradients);
    for (const [i, { value, rule, first, second }] of parameters.entries()) {
      const rate = learningRate * rule.learningRateScale;
      const rateValue = rates.get(rate) ?? scratch.changing(rate);
      rates.set(rate, rateValue);
      decay(value, 1 - rate * rule.weightDecay);
      const gradient = values[i] as Value;
      const scaled = scale === 1 ? gradient : scratch.last(scratch.mul(gradient, factor));
      scratch.applyAdam([value.handle, first.handle, second.handle], [...powers, rateValue, ...constants, scaled]);
    }
  } finally {
    scratch.free();
  }
}

function decay(value: Variable, factor: number): void {
  if (factor === 1) return;
  const scratch = new Scratch();
  try {
    // Freed before the optimiser runs: a variable that something else holds is copied instead of being changed in place.
    value.assign(scratch, scratch.mul(value.value(scratch), scratch.changing(factor)));
  } finally {
    scratch.free();
  }
}
