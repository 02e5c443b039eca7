/** Programs as graphs: forward alone, with the backward pass, or with backward pass and optimiser. */
import { differentiate } from '../differentiate.js';
import { pick, type TensorSpec, type TensorSpecs } from '../tensor-spec.js';
import { type Tensor, tf } from '../tf.js';
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
    const { gradients, results } = differentiated(program, state, tensors);
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
    const { gradients, results } = differentiated(program, state, tensors);
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

/** Loss and outputs under the names that the graph gives them, and the gradients. */
function differentiated(program: TrainingProgram, state: OrtState, tensors: ReadonlyMap<string, Tensor>) {
  const { loss, outputs, gradients } = differentiate(program, tensors, state.specs, state.trained());
  const results = new Map<string, Tensor>([...outputs].map(([name, tensor]) => [OUTPUT_PREFIX + name, tensor]));
  results.set(LOSS, loss);
  return { results, gradients };
}
