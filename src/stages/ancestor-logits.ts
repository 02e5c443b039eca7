/**
 * What the ancestor says about each batch. It runs in a compiled step of its own, with its weights built in, and where
 * images are always the same each is asked about once.
 */
import { InterruptedError } from '../base/errors.js';
import { type Batch, type Dataset, isRandom, type Loader } from '../data/index.js';
import type { Engine, InferenceStep } from '../engine/types.js';
import type { LoadedModel } from '../model/load.js';
import { inferenceProgram, LOGITS, modelEntries, PATCHES } from '../train/index.js';
import type { StageContext } from './context.js';
import { NO_OPTIMISER } from './evaluate.js';

/** Most memory for remembered logits, bytes; a training set that needs more is asked about batch by batch. */
const MOST_REMEMBERED_BYTES = 256 * 2 ** 20;

export class AncestorLogits {
  readonly #step: InferenceStep;
  readonly #classes: number;
  /** Logits `[images, classes]`, and the row of each image by its index in the source. */
  #remembered: { readonly logits: Float32Array; readonly rows: ReadonlyMap<number, number> } | undefined;

  constructor(step: InferenceStep, classes: number) {
    this.#step = step;
    this.#classes = classes;
  }

  /** @throws EngineError */
  static async compile(engine: Engine, { spec, values }: LoadedModel, batch: number): Promise<AncestorLogits> {
    const state = await engine.createState(modelEntries(spec, values, { trained: false }), NO_OPTIMISER);
    const step = await engine.compileInference(inferenceProgram(spec, batch), state, { frozen: true });
    // The weights are part of the compiled step now.
    await state.dispose();
    return new AncestorLogits(step, spec.classes);
  }

  /** Logits of a batch `[batch, classes]`; its arrays stay usable. */
  async of({ patches, indices, labels }: Batch): Promise<Float32Array> {
    if (!this.#remembered) return this.#ask(patches.slice());
    const { logits, rows } = this.#remembered;
    const own = new Float32Array(labels.length * this.#classes);
    indices.forEach((index, slot) => {
      const start = (rows.get(index) as number) * this.#classes;
      own.set(logits.subarray(start, start + this.#classes), slot * this.#classes);
    });
    return own;
  }

  /**
   * Asks about every image once, in the order of the source, so that nothing depends on where a run begins.
   *
   * @param loader of the training images in `eval` mode
   * @param done steps of the run that an earlier process has done
   * @throws InterruptedError
   */
  async remember(loader: Loader, { indices }: Dataset, done: number, { emit, signal }: StageContext): Promise<void> {
    emit({ type: 'phase', text: `asking the ancestor about ${indices.length} images` });
    const classes = this.#classes;
    const logits = new Float32Array(indices.length * classes);
    const rows = new Map<number, number>();
    for await (const batch of loader.epoch(0)) {
      if (signal.aborted) {
        const kept = done > 0 ? `the state after step ${done} is kept, --resume goes on` : 'nothing was trained';
        throw new InterruptedError(`stopped while asking the ancestor; ${kept}`);
      }
      const own = await this.#ask(batch.patches);
      logits.set(own.subarray(0, batch.size * classes), rows.size * classes);
      for (const index of batch.indices) rows.set(index, rows.size);
      emit({ type: 'evaluating', done: rows.size, total: indices.length });
    }
    this.#remembered = { logits, rows };
  }

  async #ask(patches: Float32Array): Promise<Float32Array> {
    const outputs = await this.#step.run(new Map([[PATCHES, patches]]));
    return outputs.get(LOGITS) as Float32Array;
  }
}

/**
 * Whether remembering pays: images that never change, as many still to be trained on as there are, and memory enough.
 *
 * @param images images that the run still trains on, repetitions counted
 */
export function pays({ indices, augment, source }: Dataset, images: number): 'yes' | 'no' | 'too large' {
  if (isRandom(augment) || images < indices.length) return 'no';
  return indices.length * source.classes * Float32Array.BYTES_PER_ELEMENT <= MOST_REMEMBERED_BYTES
    ? 'yes'
    : 'too large';
}

/** One-hot rows at the highest logit of each row; of equal ones the first. */
export function decisions(logits: Float32Array, classes: number): Float32Array {
  const rows = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += classes) {
    let best = start;
    for (let i = start + 1; i < start + classes; i++) {
      if ((logits[i] as number) > (logits[best] as number)) best = i;
    }
    rows[best] = 1;
  }
  return rows;
}
