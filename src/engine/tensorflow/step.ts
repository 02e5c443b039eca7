/** Programs run op by op on TensorFlow. */
import { EngineError } from '../../base/errors.js';
import { type Differentiated, differentiate } from '../differentiate.js';
import { diverged } from '../diverged.js';
import { fed } from '../fed.js';
import { pick, type TensorSpecs, type TensorValues } from '../tensor-spec.js';
import { type Tensor, tf } from '../tf.js';
import type { InferenceProgram, InferenceStep, StepResult, TrainingProgram, TrainingStep } from '../types.js';
import { gradientNorm } from './adamw.js';
import { TensorflowState } from './state.js';
import { turn } from './turn.js';

type Inputs = ReadonlyMap<string, TensorValues>;

/** A gradient norm below this does not divide. */
const SMALLEST_NORM = 1e-12;

/** A training step over `state`. */
export function trainingStep(program: TrainingProgram, state: TensorflowState): Required<TrainingStep> {
  const life = lifetime();
  /** Forward and backward pass, then what `use` makes of them while their tensors live. */
  const step = <T>(inputs: Inputs, use: (result: Differentiated, loss: number) => T): Promise<T> =>
    turn(() => {
      life.check();
      const owned = TensorflowState.of(state);
      const tensors = new Map([...owned.tensors(), ...given(inputs, program.inputs)]);
      const result = differentiate(program, tensors, owned.specs, owned.trained());
      try {
        // What the optimiser changes in place must not be held, unless the program gives it back.
        const returned = new Set(result.outputs.values());
        for (const tensor of tensors.values()) if (!returned.has(tensor)) tensor.dispose();
        return use(result, number(result.loss));
      } finally {
        for (const tensor of result.outputs.values()) tensor.dispose();
      }
    });
  return {
    run: (inputs, settings) =>
      step(inputs, ({ outputs, gradients }, loss) => {
        const mean = state.meanGradients(gradients);
        // Also without clipping: one gradient that is not a number would spoil its parameter for good.
        const norm = gradientNorm([...mean.values()]);
        if (!Number.isFinite(loss) || !Number.isFinite(norm)) throw diverged(loss, norm);
        const { clipNorm } = settings;
        const scale = clipNorm === undefined ? 1 : Math.min(1, clipNorm / Math.max(norm, SMALLEST_NORM));
        const read = values(outputs);
        state.applyGradients(mean, settings, scale);
        return { loss, outputs: read, ...(clipNorm === undefined ? {} : { gradientNorm: norm }) };
      }),
    accumulate: (inputs) =>
      step(inputs, ({ outputs, gradients }, loss): StepResult => {
        if (!Number.isFinite(loss)) {
          state.forgetGradients();
          throw diverged(loss);
        }
        state.keepGradients(gradients);
        return { loss, outputs: values(outputs) };
      }),
    gradients: (inputs) =>
      step(inputs, ({ outputs, gradients }, loss) => ({
        loss,
        outputs: values(outputs),
        gradients: values(gradients) as Map<string, Float32Array>,
      })),
    dispose: () => life.end(),
  };
}

/**
 * A forward pass over `state` as it is at every run, or over `frozen` tensors, which become its own.
 */
export function inferenceStep(
  program: InferenceProgram,
  state: TensorflowState,
  frozen?: ReadonlyMap<string, Tensor>,
): InferenceStep {
  const life = lifetime();
  const { specs } = state;
  const forget = () => {
    for (const tensor of frozen?.values() ?? []) tensor.dispose();
  };
  return {
    run: (inputs) =>
      turn(() => {
        life.check();
        const parameters = frozen ?? pick(TensorflowState.of(state).tensors(), specs);
        const batch = pick(new Map(given(inputs, program.inputs)), program.inputs);
        return values(program.run({ parameters, inputs: batch }));
      }),
    dispose: () => life.end(forget),
  };
}

/** @throws EngineError when an input is missing or does not fit. */
function given(inputs: Inputs, specs: TensorSpecs): Map<string, Tensor> {
  return new Map(
    fed(inputs, specs).map(({ name, shape, values: data }) => [
      name,
      tf.tensor(data, [...shape], data instanceof Int32Array ? 'int32' : 'float32'),
    ]),
  );
}

function values(tensors: ReadonlyMap<string, Tensor>): Map<string, TensorValues> {
  return new Map([...tensors].map(([name, tensor]) => [name, tensor.dataSync() as TensorValues]));
}

function number(scalar: Tensor): number {
  return scalar.dataSync()[0] as number;
}

/** Whether a step may still run. */
function lifetime() {
  let ended = false;
  return {
    check: () => {
      if (ended) throw new EngineError('internal: the compiled step was disposed of');
    },
    end: (last = () => {}) =>
      turn(() => {
        if (!ended) last();
        ended = true;
      }),
  };
}
