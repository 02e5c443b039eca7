/** The programs that engines compile: a training step of a ViT on labelled patches, and its evaluation. */
import type { TensorSpec } from '../engine/tensor-spec.js';
import type { Tensor } from '../engine/tf.js';
import type { InferenceProgram, TrainingProgram } from '../engine/types.js';
import { forward } from '../model/forward.js';
import { geometry, type ModelSpec } from '../model/spec.js';
import { crossEntropy } from '../ops/index.js';

/** Names of what is fed and what comes out. */
export const PATCHES = 'patches';
export const TARGETS = 'targets';
export const DROP_PATH = 'drop-path';
export const LOGITS = 'logits';

/** `[patches, batch, channels * patch * patch]` */
function patchesSpec(spec: ModelSpec, batch: number): TensorSpec {
  const { patches, patchDim } = geometry(spec);
  return { shape: [patches, batch, patchDim], dtype: 'float32' };
}

/**
 * Cross-entropy of a ViT. Inputs: patches, targets `[batch, classes]` (distributions: smoothed or one-hot labels) and,
 * with `dropPath`, factors `[2 * depth, batch]` of the residual branches. Output: logits `[batch, classes]`.
 */
export function trainingProgram(
  spec: ModelSpec,
  batch: number,
  options: { readonly dropPath: boolean },
): TrainingProgram {
  const inputs = new Map<string, TensorSpec>([
    [PATCHES, patchesSpec(spec, batch)],
    [TARGETS, { shape: [batch, spec.classes], dtype: 'float32' }],
  ]);
  if (options.dropPath) inputs.set(DROP_PATH, { shape: [2 * spec.depth, batch], dtype: 'float32' });
  return {
    inputs,
    run({ parameters, inputs: fed }) {
      const logits = forward(spec, parameters, fed.get(PATCHES) as Tensor, fed.get(DROP_PATH));
      return { loss: crossEntropy(logits, fed.get(TARGETS) as Tensor), outputs: new Map([[LOGITS, logits]]) };
    },
  };
}

/** Logits of a ViT, nothing else. */
export function inferenceProgram(spec: ModelSpec, batch: number): InferenceProgram {
  return {
    inputs: new Map([[PATCHES, patchesSpec(spec, batch)]]),
    run: ({ parameters, inputs }) => new Map([[LOGITS, forward(spec, parameters, inputs.get(PATCHES) as Tensor)]]),
  };
}
