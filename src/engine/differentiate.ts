/** A training program and its backward pass, under whichever tfjs backend is the current one. */
import { EngineError } from '../base/errors.js';
import { releaseEarly } from './early-release.js';
import { pick } from './tensor-spec.js';
import { type Scalar, type Tensor, tf } from './tf.js';
import type { NamedTensors, TrainingProgram } from './types.js';

/** What one backward pass gives. */
export interface Differentiated {
  readonly loss: Scalar;
  /** What the program returned beside its loss. Kept beyond the current scope: dispose of them. */
  readonly outputs: ReadonlyMap<string, Tensor>;
  /** By trained parameter, in their order. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

/**
 * Runs the program and its backward pass.
 *
 * @param tensors parameters and inputs by name
 * @param specs of all parameters
 * @param trained names of the parameters that need a gradient
 * @throws EngineError when nothing is trained, the loss is not one number, or does not depend on a trained parameter.
 */
export function differentiate(
  program: TrainingProgram,
  tensors: NamedTensors,
  specs: ReadonlyMap<string, unknown>,
  trained: readonly string[],
): Differentiated {
  if (trained.length === 0) throw new EngineError('no parameter of the state is trained: there is no step to compile');
  const [parameters, inputs] = [pick(tensors, specs), pick(tensors, program.inputs)];
  const outputs = new Map<string, Tensor>();
  const loss = (): Scalar => {
    const outcome = program.run({ parameters, inputs });
    for (const [name, tensor] of outcome.outputs) outputs.set(name, tf.keep(tensor));
    releaseEarly();
    return outcome.loss;
  };
  const values = trained.map((name) => tensors.get(name) as Tensor);
  try {
    return { ...backward(loss, values, trained), outputs };
  } catch (error) {
    forgetTape();
    for (const tensor of outputs.values()) tensor.dispose();
    throw error;
  }
}

function backward(
  loss: () => Scalar,
  values: readonly Tensor[],
  trained: readonly string[],
): Pick<Differentiated, 'loss' | 'gradients'> {
  // Unlike tf.valueAndGrads this tells which parameter has no gradient.
  const { value, grads } = tf.engine().gradients(loss, [...values], undefined, true);
  if (value.rank !== 0) throw new EngineError(`the loss must be one number, found shape [${value.shape.join(', ')}]`);
  const unused = trained.filter((_, i) => !grads[i]);
  if (unused.length > 0) {
    throw new EngineError(`the loss does not depend on parameter ${unused.join(', ')}: use it or do not train it`);
  }
  return { loss: value, gradients: new Map(trained.map((name, i) => [name, grads[i] as Tensor])) };
}

/** Frees what the nodes of a pass that was broken off have saved; tfjs would keep it. */
function forgetTape(): void {
  const { state } = tf.engine();
  for (const { saved } of state.activeTape ?? []) {
    for (const tensor of saved ?? []) tensor.dispose();
  }
  state.activeTape = [];
}
