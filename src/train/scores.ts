/** Accuracy and loss from logits, on the host and in double precision. */

/** Sums over samples; divide by `images` for means. */
export interface Scores {
  readonly images: number;
  /** Samples whose label has the highest logit. */
  readonly top1: number;
  /** Samples whose label is among the five highest logits. */
  readonly top5: number;
  /** Sum of cross-entropies, in nats. */
  readonly loss: number;
}

/** Scores of no images, to add to. */
export const NO_SCORES: Scores = { images: 0, top1: 0, top5: 0, loss: 0 };

const TOP = 5;

/**
 * Scores of the first `size` rows. Of equal logits the one of the lower class ranks first, as in a stable sort. A row
 * with a logit that is not a number counts as wrong and makes the loss not a number.
 *
 * @param logits `[rows, classes]`
 * @param labels `[rows]`; rows with a label below 0 are left out
 */
export function score(logits: Float32Array, labels: Int32Array, classes: number, size: number): Scores {
  let [images, top1, top5, loss] = [0, 0, 0, 0];
  for (let row = 0; row < size; row++) {
    const values = logits.subarray(row * classes, (row + 1) * classes);
    const label = labels[row];
    if (label < 0) continue;
    images++;
    const own = values[label];
    let [rank, max] = [0, Number.NEGATIVE_INFINITY];
    for (let c = 0; c < classes; c++) {
      const value = values[c];
      if (value > max) max = value;
      // Written so that a NaN on either side counts against the label.
      if (c !== label && !(value < own || (value === own && c > label))) rank++;
    }
    let sum = 0;
    for (const value of values) sum += Math.exp(value - max);
    loss += Math.log(sum) + max - own;
    if (rank === 0) top1++;
    if (rank < TOP) top5++;
  }
  return { images, top1, top5, loss };
}

/** Scores of two sets of images together. */
export function addScores(a: Scores, b: Scores): Scores {
  return { images: a.images + b.images, top1: a.top1 + b.top1, top5: a.top5 + b.top5, loss: a.loss + b.loss };
}

/** Shares of right answers (0..1) and mean loss. */
export interface Quality {
  readonly images: number;
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
}

/** Shares and mean loss of scored images; not a number for no images. */
export function quality({ images, top1, top5, loss }: Scores): Quality {
  return { images, top1: top1 / images, top5: top5 / images, loss: loss / images };
}
