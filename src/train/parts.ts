/** A training step that is done in parts, one batch each: what its parts have given, put together. */
import type { Batch } from '../data/index.js';
import type { TensorValues } from '../engine/tensor-spec.js';
import type { StepResult } from '../engine/types.js';
import { mainLabels } from './targets.js';

/** A batch and what came of it. */
export interface Part {
  readonly batch: Batch;
  readonly result: StepResult;
}

/** The images of a step, in the order of the rows of its outputs. */
export interface StepImages {
  /** What counts as right for each: where images are mixed, the label with the larger share. */
  readonly labels: Int32Array;
  /** Index of each in the source. */
  readonly indices: Uint32Array;
  readonly size: number;
}

export function imagesOf(parts: readonly Part[]): StepImages {
  const labels = Int32Array.from(parts.flatMap(({ batch }) => [...mainLabels(batch)]));
  const indices = Uint32Array.from(parts.flatMap(({ batch }) => [...batch.indices]));
  return { labels, indices, size: indices.length };
}

/** One result: means of what is one number, and rows of what has several, one part after the other. */
export function resultOf(parts: readonly Part[]): StepResult {
  const results = parts.map(({ result }) => result);
  const last = results[results.length - 1] as StepResult;
  if (results.length === 1) return last;
  const outputs = new Map<string, TensorValues>();
  for (const name of last.outputs.keys()) {
    const values = results.map((result) => result.outputs.get(name) as TensorValues);
    outputs.set(name, values.every(({ length }) => length === 1) ? Float32Array.of(mean(values)) : joined(values));
  }
  // The norm is that of the mean gradient, which the last part has been told.
  return { ...last, loss: results.reduce((sum, { loss }) => sum + loss, 0) / results.length, outputs };
}

function mean(values: readonly TensorValues[]): number {
  return values.reduce((sum, [value]) => sum + (value as number), 0) / values.length;
}

function joined(values: readonly TensorValues[]): TensorValues {
  const length = values.reduce((sum, part) => sum + part.length, 0);
  const all = values[0] instanceof Int32Array ? new Int32Array(length) : new Float32Array(length);
  let at = 0;
  for (const part of values) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
