/**
 * Frees the tensors of a backward pass as soon as nothing reads them any more. tfjs frees them when all of it is done,
 * which for an engine that computes op by op is many times the memory, none of it warm when it is used again.
 */
import { type Tensor, tf } from './tf.js';

type Tape = ReturnType<typeof tf.engine>['state']['activeTape'];

/**
 * To be called at the end of the function that tfjs differentiates, when the tape is complete. tfjs walks it from its end;
 * a node's own gradients and what it saved are of no use once the walk is at another node.
 */
export function releaseEarly(): void {
  const tape: Tape = tf.engine().state.activeTape;
  let passed: Tensor[] = [];
  for (const node of tape) {
    const { gradient } = node;
    if (!gradient) continue;
    node.gradient = (received) => {
      for (const tensor of passed) tensor.dispose();
      // Gradients that do not take part in the backward pass are null.
      passed = [...received, ...(node.saved ?? [])].filter((tensor) => tensor);
      const known = new Set(received);
      return Object.fromEntries(
        Object.entries(gradient(received)).map(([input, compute]) => {
          const own = (): Tensor => {
            const result = compute();
            return known.has(result) ? tf.clone(result) : result;
          };
          return [input, own];
        }),
      );
    };
  }
}
