/** Short ways to run programs on the default engine in tests. */
import { createOrtEngine } from '#wave/engine/ort/engine.js';
import type { TensorSpec, TensorValues } from '#wave/engine/tensor-spec.js';
import type { Scalar, Tensor } from '#wave/engine/tf.js';
import type { Engine, ParameterRule, StateEntry } from '#wave/engine/types.js';

export const ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
export const TRAINED: ParameterRule = { trained: true, weightDecay: 0, learningRateScale: 1 };

/** A tensor with its shape; float32 unless the values say otherwise. */
export interface Given {
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

export const given = (
  shape: readonly number[],
  values: Iterable<number>,
): Given & { readonly values: Float32Array } => ({
  shape,
  values: Float32Array.from(values),
});

export const spec = (shape: readonly number[], dtype: TensorSpec['dtype'] = 'float32'): TensorSpec => ({
  shape,
  dtype,
});

export function specs(tensors: Record<string, Given>): Map<string, TensorSpec> {
  const dtype = (values: TensorValues) => (values instanceof Int32Array ? 'int32' : 'float32');
  return new Map(Object.entries(tensors).map(([name, { shape, values }]) => [name, spec(shape, dtype(values))]));
}

/** Copies, because running a step may take the buffers away. */
export function feeds(tensors: Record<string, Given>): Map<string, TensorValues> {
  return new Map(Object.entries(tensors).map(([name, { values }]) => [name, values.slice()]));
}

/** Entries of a state in which everything is trained by one rule, or by the rule that `rule` picks. */
export function entries(
  tensors: Record<string, Given>,
  rule: (name: string) => Partial<ParameterRule> = () => ({}),
): Map<string, StateEntry> {
  return new Map(
    Object.entries(tensors).map(([name, { shape, values }]) => [
      name,
      { spec: spec(shape), values: Float32Array.from(values), rule: { ...TRAINED, ...rule(name) } },
    ]),
  );
}

export type TensorFunction = (tensors: Record<string, Tensor>) => Record<string, Tensor>;

/** What `run` makes of `inputs`, through a compiled inference program without parameters. */
export async function evaluate(
  engine: Engine,
  inputs: Record<string, Given>,
  run: TensorFunction,
): Promise<Record<string, TensorValues>> {
  const state = await engine.createState(new Map(), ADAMW);
  const program = {
    inputs: specs(inputs),
    run: ({ inputs: fed }: { inputs: ReadonlyMap<string, Tensor> }) =>
      new Map(Object.entries(run(Object.fromEntries(fed)))),
  };
  const step = await engine.compileInference(program, state, { frozen: false });
  try {
    return Object.fromEntries(await step.run(feeds(inputs)));
  } finally {
    await step.dispose();
    await state.dispose();
  }
}

/** Loss and gradients of a scalar function of trained parameters. */
export async function differentiate(
  engine: Engine,
  parameters: Record<string, Given>,
  inputs: Record<string, Given>,
  loss: (tensors: Record<string, Tensor>) => Scalar,
): Promise<{ loss: number; gradients: Record<string, Float32Array> }> {
  const state = await engine.createState(entries(parameters), ADAMW);
  const step = await engine.compileTraining(
    {
      inputs: specs(inputs),
      run: (given) => ({
        loss: loss({ ...Object.fromEntries(given.parameters), ...Object.fromEntries(given.inputs) }),
        outputs: new Map(),
      }),
    },
    state,
  );
  try {
    const result = await step.gradients(feeds(inputs));
    return { loss: result.loss, gradients: Object.fromEntries(result.gradients) };
  } finally {
    await step.dispose();
    await state.dispose();
  }
}

/** The engine that tests compute on. */
export const testEngine = (): Engine => createOrtEngine({ threads: 2 });
