/** The loss that pulls a model towards its ancestor. */
import { type Scalar, type Tensor, tf } from '../engine/tf.js';
import { crossEntropy } from '../ops/index.js';

/**
 * Over what the divergence of `soft` is averaged. `batchmean`: over images, as the divergence is defined. `element`: over images
 * and classes, `1 / classes` of it, as DeiT's and TLEG's code does.
 */
export const REDUCTIONS = ['batchmean', 'element'] as const;

/** `soft`: the ancestor's distribution. `hard`: its decision (DeiT, Touvron et al. 2021, section 4). */
export const KD_TARGETS = ['soft', 'hard'] as const;

/** Settings of `distillationLoss`. */
export interface DistillationLoss {
  readonly weight: number;
  /** Softens both distributions; the divergence is scaled by its square (Hinton et al. 2015). Not used by `hard`. */
  readonly temperature: number;
  /** Not used by `hard`, which averages over images. */
  readonly reduction: (typeof REDUCTIONS)[number];
  readonly target: (typeof KD_TARGETS)[number];
}

/**
 * `soft`: `temperature^2 * KL(ancestor || model)` at the temperature. `hard`: cross-entropy against the decision. The
 * ancestor is not differentiated.
 *
 * @param logits `[batch, classes]`
 * @param ancestor `[batch, classes]`: logits, or one-hot decisions for `hard`
 */
export function distillationLoss(logits: Tensor, ancestor: Tensor, options: DistillationLoss): Scalar {
  const { temperature, reduction, target } = options;
  const [batch, classes] = logits.shape as [number, number];
  if (target === 'hard') return crossEntropy(logits, ancestor);
  const soften = (x: Tensor): Tensor => (temperature === 1 ? x : tf.mul(x, 1 / temperature));
  const logProbabilities = tf.logSoftmax(soften(ancestor));
  const probabilities = tf.exp(logProbabilities);
  const negativeEntropy = tf.mul(tf.sum(tf.mul(probabilities, logProbabilities)), 1 / batch);
  const divergence = tf.add(crossEntropy(soften(logits), probabilities), negativeEntropy) as Scalar;
  const factor = temperature ** 2 / (reduction === 'element' ? classes : 1);
  return factor === 1 ? divergence : (tf.mul(divergence, factor) as Scalar);
}
