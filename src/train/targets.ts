/** From class indices to the distributions that cross-entropy is taken against. */

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
