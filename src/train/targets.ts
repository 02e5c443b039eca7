/** From class indices to the distributions that cross-entropy is taken against. */
import type { Batch } from '../data/index.js';

/** What of a batch says which classes its images are of. */
export type LabelledBatch = Pick<Batch, 'labels' | 'mix'>;

/**
 * One-hot rows, smoothed: `1 - smoothing + smoothing / classes` at the label, `smoothing / classes` elsewhere (Szegedy
 * et al. 2016).
 *
 * @param labels `[batch]`
 * @returns `[batch, classes]`
 */
export function smoothedTargets(labels: Int32Array, classes: number, smoothing: number): Float32Array {
  const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
  labels.forEach((label, row) => {
    targets[row * classes + label] += 1 - smoothing;
  });
  return targets;
}

/**
 * The targets of a batch: smoothed rows, mixed as its images are. Each row sums to 1.
 *
 * @returns `[batch, classes]`
 */
export function batchTargets({ labels, mix }: LabelledBatch, classes: number, smoothing: number): Float32Array {
  const own = smoothedTargets(labels, classes, smoothing);
  if (!mix) return own;
  const { lambda } = mix;
  const mixed = new Float32Array(own.length);
  for (let row = 0; row < labels.length; row++) {
    const partner = labels.length - 1 - row;
    for (let c = 0; c < classes; c++) {
      mixed[row * classes + c] = lambda * own[row * classes + c] + (1 - lambda) * own[partner * classes + c];
    }
  }
  return mixed;
}

/** The label of which each image has the larger share: what counts as right for a batch whose images are mixed. */
export function mainLabels({ labels, mix }: LabelledBatch): Int32Array {
  return mix && mix.lambda < 0.5 ? labels.slice().reverse() : labels;
}
