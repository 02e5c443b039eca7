/** Softmax cross-entropy with soft targets. */
import { type Scalar, type Tensor, tf } from '../engine/tf.js';

/**
 * Mean over the batch of `-sum(targets * log softmax(logits))`. Targets are not differentiated.
 *
 * @param logits `[batch, classes]`
 * @param targets `[batch, classes]`, each row a distribution (one-hot, smoothed or mixed labels)
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Scalar {
  const batch = logits.shape[0] as number;
  const op = tf.customGrad((...parameters) => {
    const [z, save] = parameters as [Tensor, (tensors: Tensor[]) => void];
    const logProbabilities = tf.logSoftmax(z);
    save([logProbabilities]);
    return {
      value: tf.mul(tf.sum(tf.mul(targets, logProbabilities)), -1 / batch) as Scalar,
      gradFunc: (dy: Tensor, saved: Tensor[]) =>
        tf.tidy(() => {
          // Exact for rows that sum to 1, which distributions do.
          const difference = tf.sub(tf.exp(saved[0] as Tensor), targets);
          return tf.mul(difference, tf.mul(dy, 1 / batch));
        }),
    };
  });
  return op(logits) as Scalar;
}
