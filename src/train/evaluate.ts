/** Accuracy of a model on a data set. */
import type { Loader } from '../data/index.js';
import type { InferenceStep } from '../engine/types.js';
import { LOGITS, PATCHES } from './program.js';
import { addScores, NO_SCORES, type Quality, quality, score } from './scores.js';

export interface EvaluateOptions {
  readonly step: InferenceStep;
  /** In `eval` mode: every sample once, the last batch padded. */
  readonly loader: Loader;
  readonly classes: number;
  readonly signal: AbortSignal;
  /** Called after each batch with the images done so far. */
  readonly onBatch?: (images: number) => void;
}

/**
 * Padding rows of the last batch are computed and left out of the scores.
 *
 * @returns undefined when the signal was aborted before the end.
 */
export async function evaluateModel(options: EvaluateOptions): Promise<Quality | undefined> {
  const { step, loader, classes, signal, onBatch } = options;
  let scores = NO_SCORES;
  for await (const { patches, labels, size } of loader.epoch(0)) {
    if (signal.aborted) return undefined;
    const outputs = await step.run(new Map([[PATCHES, patches]]));
    scores = addScores(scores, score(outputs.get(LOGITS) as Float32Array, labels, classes, size));
    onBatch?.(scores.images);
  }
  return quality(scores);
}
