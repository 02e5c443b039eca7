/** How much a model's logits change when its layer norms add another number to the variance. */
import { createRng } from '../base/rng.js';
import { engineSchema } from '../config/engine-schema.js';
import { createEngine } from '../engine/create.js';
import { geometry, type ModelSpec } from '../model/spec.js';
import * as train from '../train/index.js';
import { NO_OPTIMISER } from './evaluate.js';
import type { StartModel } from './start-model.js';

/** Images that are tried: normalised pixels are roughly normal. */
const IMAGES = 4;
const SEED = 0;

/** A change of logits. */
export interface LogitChange {
  /** Largest difference of one logit. */
  readonly largest: number;
  /** Largest logit, to compare with. */
  readonly scale: number;
}

/**
 * Logits of the model on a few random images, with its own epsilon and with another one.
 *
 * @throws EngineError
 */
export async function epsilonChange(
  { spec, values }: Pick<StartModel, 'spec' | 'values'>,
  eps: number,
): Promise<LogitChange> {
  const engine = await createEngine(engineSchema.parse({}));
  try {
    const state = await engine.createState(train.modelEntries(spec, values, { trained: false }), NO_OPTIMISER);
    const { patches, patchDim } = geometry(spec);
    const rng = createRng(SEED, 'images');
    // Each run takes the memory of what it is fed.
    const images = Float32Array.from({ length: patches * IMAGES * patchDim }, () => rng.normal());
    const logits = async (own: ModelSpec): Promise<Float32Array> => {
      const step = await engine.compileInference(train.inferenceProgram(own, IMAGES), state, { frozen: true });
      const outputs = await step.run(new Map([[train.PATCHES, images.slice()]]));
      return outputs.get(train.LOGITS) as Float32Array;
    };
    const own = await logits(spec);
    const other = await logits({ ...spec, eps });
    return {
      largest: own.reduce((most, logit, i) => Math.max(most, Math.abs(logit - other[i])), 0),
      scale: own.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0),
    };
  } finally {
    await engine.dispose();
  }
}
