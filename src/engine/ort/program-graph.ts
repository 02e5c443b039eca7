/** Programs as graphs: forward alone, with the backward pass, or with backward pass and optimiser. */
import { EngineError } from '../../base/errors.js';
import type { TensorSpec, TensorSpecs } from '../tensor-spec.js';
import { type Scalar, type Tensor, tf } from '../tf.js';
import type { InferenceProgram, TrainingProgram } from '../types.js';
import type { FinishedGraph } from './graph.js';
import { adamw, clipFactor, gradientNorm, splitScalars } from './graph-optimiser.js';
import type { OrtState } from './ort-state.js';
import { STEP_SCALAR_COUNT } from './step-scalars.js';
import type { TraceTarget } from './trace/backend.js';
import { trace } from './trace/trace.js';
import {
  firstMomentOf,
  GRADIENT_NORM,
  gradientOf,
  LOSS,
  nextFirstMomentOf,
  nextSecondMomentOf,
  STEP_SCALARS,
  secondMomentOf,
  updateOf,
} from './worker-protocol.js';

/** Keeps the names of a program's outputs apart from those of loss, gradients and state. */
export const OUTPUT_PREFIX = 'output:';

/** Forward: outputs are the program's. */
export function inferenceGraph(
  program: InferenceProgram,
  specs: TensorSpecs,
  target: TraceTarget,
): Promise<FinishedGraph> {
  const record = (tensors: Map<string, Tensor>) => {
    const results = program.run({ parameters: pick(tensors, specs), inputs: pick(tensors, program.inputs) });
    return new Map([...results].map(([name, tensor]) => [OUTPUT_PREFIX + name, tensor]));
  };
  return trace(new Map([...specs, ...program.inputs]), record, target);
}

/** Forward and backward: outputs are the loss, the program's outputs and one gradient for each trained parameter. */
export function gradientGraph(program: TrainingProgram, state: OrtState, target: TraceTarget): Promise<FinishedGraph> {
  const record = (tensors: Map<string, Tensor>) => {
    const { gradients, results } = differentiate(program, state, tensors);
    for (const [name, gradient] of gradients) results.set(gradientOf(name), gradient);
    return results;
  };
  return trace(new Map([...state.specs, ...program.inputs]), record, target);
}

/** Forward, backward and optimiser: outputs are the loss, the program's outputs and the next state. */
export function updateGraph(program: TrainingProgram, state: OrtState, target: TraceTarget): Promise<FinishedGraph> {
  const trained = [...state.specs].filter(([name]) => state.rule(name).trained);
  const inputs = new Map<string, TensorSpec>([
    ...state.specs,
    ...trained.map(([name, spec]) => [firstMomentOf(name), spec] as const),
    ...trained.map(([name, spec]) => [secondMomentOf(name), spec] as const),
    ...program.inputs,
    [STEP_SCALARS, { shape: [STEP_SCALAR_COUNT], dtype: 'float32' }],
  ]);
  const record = (tensors: Map<string, Tensor>) => {
    const { gradients, results } = differentiate(program, state, tensors);
    const scalars = splitScalars(tensors.get(STEP_SCALARS) as Tensor);
    const norm = gradientNorm([...gradients.values()]);
    const factor = clipFactor(norm, scalars);
    results.set(GRADIENT_NORM, norm);
    for (const [name, gradient] of gradients) {
      const current = {
        value: tensors.get(name) as Tensor,
        gradient: tf.mul(gradient, factor),
        first: tensors.get(firstMomentOf(name)) as Tensor,
        second: tensors.get(secondMomentOf(name)) as Tensor,
      };
      const next = adamw(current, state.rule(name), scalars, state.constants);
      results.set(updateOf(name), next.value);
      results.set(nextFirstMomentOf(name), next.first);
      results.set(nextSecondMomentOf(name), next.second);
    }
    return results;
  };
  return trace(inputs, record, target);
}

/**
 * Runs the program and its backward pass.
 *
 * @returns loss and outputs by name, and the gradient of every trained parameter
 * @throws EngineError when nothing is trained, the loss is not one number, or does not depend on a trained parameter.
 */
function differentiate(program: TrainingProgram, state: OrtState, tensors: ReadonlyMap<string, Tensor>) {
  const trained = [...state.specs.keys()].filter((name) => state.rule(name).trained);
  if (trained.length === 0) throw new EngineError('no parameter of the state is trained: there is no step to compile');
  const [parameters, inputs] = [pick(tensors, state.specs), pick(tensors, program.inputs)];
  const results = new Map<string, Tensor>();
  const loss = (): Scalar => {
    const outcome = program.run({ parameters, inputs });
    for (const [name, tensor] of outcome.outputs) results.set(OUTPUT_PREFIX + name, tf.keep(tensor)); // disposed of by trace
    return outcome.loss;
  };
  const values = trained.map((name) => tensors.get(name) as Tensor);
  // Unlike tf.valueAndGrads this tells which parameter has no gradient.
  const { value, grads } = tf.engine().gradients(loss, values, undefined, true);
  if (value.rank !== 0) throw new EngineError(`the loss must be one number, found shape [${value.shape.join(', ')}]`);
  const unused = trained.filter((_, i) => !grads[i]);
  if (unused.length > 0) {
    throw new EngineError(`the loss does not depend on parameter ${unused.join(', ')}: use it or do not train it`);
  }
  results.set(LOSS, value);
  return { results, gradients: new Map(trained.map((name, i) => [name, grads[i] as Tensor])) };
}

function pick(tensors: ReadonlyMap<string, Tensor>, specs: TensorSpecs): Map<string, Tensor> {
  return new Map([...specs.keys()].map((name) => [name, tensors.get(name) as Tensor]));
}
