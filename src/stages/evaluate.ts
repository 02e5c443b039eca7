/** Stage `evaluate`: accuracy of a model on the test split. */
import { z } from 'zod';
import { InterruptedError } from '../base/errors.js';
import { recipeShape } from '../config/recipes.js';
import { Loader, openData } from '../data/index.js';
import { checkEngine, createEngine } from '../engine/create.js';
import { checkFits } from '../model/config.js';
import { preprocessFor } from '../model/preprocess.js';
import * as train from '../train/index.js';
import { BrokenImages } from './broken-images.js';
import { checkLabels } from './class-map.js';
import type { StageContext } from './context.js';
import { distillShape, fitKdSchema } from './distill-config.js';
import { warnOfOtherPixels } from './pixels.js';
import { commonShape, modelShape } from './schemas.js';
import { loadStart, type StartInputs } from './start-model.js';

/** The configuration of a training run serves as it is: what only training needs is checked and not used. */
export const evaluateSchema = z.strictObject({
  ...recipeShape,
  ...modelShape,
  ...z.strictObject({ ...distillShape, kd: fitKdSchema }).partial().shape,
  ...commonShape,
  train: train.finetuneFields.prefault({}),
});

/** The checked configuration of `evaluate`. */
export type EvaluateConfig = z.output<typeof evaluateSchema>;

/** What of it decides the result. */
export type EvaluateSettings = Pick<EvaluateConfig, keyof typeof commonShape>;

/** Quality on the test split. */
export interface EvaluateResult {
  /** Shares in 0..1. */
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
  readonly images: number;
  readonly imagesPerSecond: number;
  /** Images that could not be read and are not part of it; absent: none. */
  readonly brokenImages?: number;
}

/**
 * @param source path of a model; or with `heads`, for a checkpoint that does not tell them; or templates and the scalers of
 * a target, of which the weights are made first
 * @throws CheckpointError, ModelError, ConfigError when the model does not fit the data, DataError, EngineError;
 * InterruptedError when `context.signal` was aborted.
 */
export async function evaluate(
  source: string | StartInputs,
  config: EvaluateSettings,
  context: StageContext,
): Promise<EvaluateResult> {
  checkEngine(config.engine);
  const { source: told, spec, values } = await loadStart(typeof source === 'string' ? { model: source } : source);
  context.emit({ type: 'phase', text: 'opening data' });
  const dataset = await openData(config.data, 'test', { seed: config.seed });
  const { channels, image } = dataset;
  const { classes } = dataset.source;
  checkFits(spec, { channels, classes, image });
  checkLabels({ source: told, spec }, dataset, config.data);
  const { mean, std } = config.data;
  warnOfOtherPixels(spec, preprocessFor(mean, std, channels), context);
  const { batch } = config.eval;
  const { seed } = config;
  const { workers } = config.data;
  const broken = new BrokenImages(context);
  broken.addLeftOut(dataset);
  const onBroken = broken.add;
  const loader = new Loader({ dataset, mode: 'eval', batch, patch: spec.patch, seed, workers, onBroken });
  const engine = createEngine(config.engine);
  try {
    context.emit({ type: 'phase', text: `compiling for ${engine.name}/${engine.device}, ${engine.threads} threads` });
    const state = await engine.createState(train.modelEntries(spec, values, { trained: false }), NO_OPTIMISER);
    const step = await engine.compileInference(train.inferenceProgram(spec, batch), state, { frozen: true });
    const total = dataset.indices.length;
    context.emit({ type: 'phase', text: `evaluating ${total} images` });
    const start = performance.now();
    const onBatch = (done: number) => context.emit({ type: 'evaluating', done, total });
    const quality = await train.evaluateModel({ step, loader, classes, signal: context.signal, onBatch });
    if (!quality) throw new InterruptedError('stopped during the evaluation; nothing was written');
    const seconds = (performance.now() - start) / 1000;
    return { ...quality, imagesPerSecond: quality.images / seconds, ...broken.result() };
  } finally {
    await Promise.all([loader.close(), engine.dispose()]);
  }
}

/** For states that are never trained. */
export const NO_OPTIMISER = { beta1: 0, beta2: 0, epsilon: 0 } as const;
