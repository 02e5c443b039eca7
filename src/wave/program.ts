/** Programs over templates and scalers: the weights are made inside the step and never leave it. */
import type { TensorSpec } from '../engine/tensor-spec.js';
import { type Scalar, type Tensor, tf } from '../engine/tf.js';
import type { InferenceProgram, NamedTensors, TrainingProgram } from '../engine/types.js';
import { forward, type Parameters } from '../model/forward.js';
import { geometry, type ModelSpec } from '../model/spec.js';
import { crossEntropy } from '../ops/index.js';
import { DROP_PATH, LOGITS, PATCHES, TARGETS } from '../train/index.js';
import type { Arrangement } from './arrangement.js';
import type { TemplateLayout } from './bank.js';
import { type DistillationLoss, distillationLoss } from './distillation-loss.js';
import { inheritInStep } from './inherit-step.js';
import { materialise } from './materialise.js';

/** Input: what the ancestor says, `[batch, classes]`: logits, or one-hot decisions for `target: hard`. */
export const ANCESTOR = 'ancestor';
/** Outputs beside the logits: the two parts of the loss, without their weights. */
export const CE = 'ce';
export const KD = 'kd';

/** A model made of templates. */
export interface TemplateModel {
  readonly model: ModelSpec;
  readonly layout: TemplateLayout;
  /** The scalers of the state are this model's, and those of `model` are inherited from them in the step. */
  readonly auxiliary?: ModelSpec;
}

/** What a training step over templates computes. */
export interface TemplateTrainingOptions {
  readonly batch: number;
  readonly dropPath: boolean;
  /** Weight of the cross-entropy against the labels. */
  readonly ceWeight: number;
  /** Distillation from an ancestor; absent: from labels alone. */
  readonly kd?: DistillationLoss;
}

/** The order that copies fastest; the function of the model is the same in both. */
const ARRANGEMENT: Arrangement = 'blocked';

function weights({ model, layout, auxiliary }: TemplateModel, tensors: NamedTensors): Parameters {
  if (!auxiliary) return materialise(model, layout, tensors, ARRANGEMENT);
  const scalers = inheritInStep(auxiliary, model, layout, tensors);
  return materialise(model, layout, new Map([...tensors, ...scalers]), ARRANGEMENT);
}

/**
 * A training step of a model made of templates: `ceWeight * CE + kd.weight * KD`. Inputs: patches, targets and, with
 * `kd`, what the ancestor says. Outputs: logits, CE and, with `kd`, KD.
 */
export function templateTrainingProgram(made: TemplateModel, options: TemplateTrainingOptions): TrainingProgram {
  const { model } = made;
  const { batch, kd, ceWeight, dropPath } = options;
  const { patches, patchDim } = geometry(model);
  const rows: TensorSpec = { shape: [batch, model.classes], dtype: 'float32' };
  const inputs = new Map<string, TensorSpec>([
    [PATCHES, { shape: [patches, batch, patchDim], dtype: 'float32' }],
    [TARGETS, rows],
  ]);
  if (kd) inputs.set(ANCESTOR, rows);
  if (dropPath) inputs.set(DROP_PATH, { shape: [2 * model.depth, batch], dtype: 'float32' });
  return {
    inputs,
    run({ parameters, inputs: fed }) {
      const logits = forward(model, weights(made, parameters), fed.get(PATCHES) as Tensor, fed.get(DROP_PATH));
      const ce = crossEntropy(logits, fed.get(TARGETS) as Tensor);
      const outputs = new Map<string, Tensor>([
        [LOGITS, logits],
        [CE, ce],
      ]);
      if (!kd) return { loss: weighted(ce, ceWeight), outputs };
      const distance = distillationLoss(logits, fed.get(ANCESTOR) as Tensor, kd);
      outputs.set(KD, distance);
      const part = weighted(distance, kd.weight);
      return { loss: ceWeight === 0 ? part : (tf.add(weighted(ce, ceWeight), part) as Scalar), outputs };
    },
  };
}

/** Logits of a model made of templates. */
export function templateInferenceProgram(made: TemplateModel, batch: number): InferenceProgram {
  const { patches, patchDim } = geometry(made.model);
  return {
    inputs: new Map([[PATCHES, { shape: [patches, batch, patchDim], dtype: 'float32' }]]),
    run: ({ parameters, inputs }) =>
      new Map([[LOGITS, forward(made.model, weights(made, parameters), inputs.get(PATCHES) as Tensor)]]),
  };
}

function weighted(loss: Scalar, weight: number): Scalar {
  return weight === 1 ? loss : (tf.mul(loss, weight) as Scalar);
}
