/** Stage `evaluate`: accuracy of a model on the test split. */
import { z } from 'zod';
import { ConfigError, InterruptedError } from '../base/errors.js';
import { onnxModelAt } from '../checkpoint/onnx-path.js';
import { recipeShape } from '../config/recipes.js';
import { type Dataset, Loader, openData } from '../data/index.js';
import { checkEngine, createEngine } from '../engine/create.js';
import type { InferenceStep } from '../engine/types.js';
import { checkFits, convertRemedy } from '../model/config.js';
import { HEADS_FLAG } from '../model/hints.js';
import { preprocessFor } from '../model/preprocess.js';
import * as train from '../train/index.js';
import { BrokenImages, warnOfFiles } from './broken-images.js';
import { checkLabels } from './class-map.js';
import type { StageContext } from './context.js';
import { withDevice } from './device.js';
import { distillShape, fitKdSchema } from './distill-config.js';
import { notFinite } from './finite-weights.js';
import { OnnxClassifier, onnxData } from './onnx-classifier.js';
import { onnxSchema, onnxShape } from './onnx-config.js';
import { warnOfOtherPixels } from './pixels.js';
import { commonShape, modelShape } from './schemas.js';
import { loadStart, RESIZE_SCALERS, type StartInputs } from './start-model.js';

/** The configuration of a training run serves as it is: what only training needs is checked and not used. */
export const evaluateSchema = z.strictObject({
  ...recipeShape,
  ...modelShape,
  ...z.strictObject({ ...distillShape, kd: fitKdSchema }).partial().shape,
  ...commonShape,
  ...onnxShape,
  train: train.finetuneFields.prefault({}),
});

/** The checked configuration of `evaluate`. */
export type EvaluateConfig = z.output<typeof evaluateSchema>;

/** What of it decides the result. */
export type EvaluateSettings = Pick<EvaluateConfig, keyof typeof commonShape> & Partial<Pick<EvaluateConfig, 'onnx'>>;

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
 * @param source path of a model, or of an image classifier in an ONNX file (`.onnx`, or a folder with `model.onnx`); or with `heads`, for a checkpoint that
 * does not tell them; or templates and the scalers of a target, of which the weights are made first
 * @throws CheckpointError, ModelError, ConfigError when the model does not fit the data, DataError, EngineError;
 * InterruptedError when `context.signal` was aborted.
 */
export async function evaluate(
  source: string | StartInputs,
  config: EvaluateSettings,
  context: StageContext,
): Promise<EvaluateResult> {
  checkEngine(config.engine);
  const inputs = typeof source === 'string' ? { model: source } : source;
  const model = 'model' in inputs ? onnxModelAt(inputs.model) : undefined;
  return model === undefined
    ? evaluateVit(inputs, config, context)
    : evaluateOnnx({ ...inputs, model }, config, context);
}

async function evaluateVit(
  inputs: StartInputs,
  asked: EvaluateSettings,
  context: StageContext,
): Promise<EvaluateResult> {
  const { source, spec, values } = await loadStart(inputs, context);
  const config = await withDevice(asked, context);
  const dataset = await openTest(config, context);
  const { channels, image } = dataset;
  const { classes } = dataset.source;
  const remedy = 'model' in inputs ? convertRemedy(inputs.model, spec, image) : RESIZE_SCALERS;
  checkFits(spec, { channels, classes, image }, { remedy, source: 'model' in inputs ? inputs.model : inputs.scalers });
  checkLabels({ source, spec }, dataset, config.data);
  const { mean, std } = config.data;
  warnOfOtherPixels(spec, preprocessFor(mean, std, channels), context);
  const { batch } = config.eval;
  const { loader, broken } = openLoader(config, dataset, spec.patch, context);
  const engine = await createEngine(config.engine);
  try {
    context.emit({ type: 'phase', text: `compiling for ${engine.name}/${engine.device}, ${engine.threads} threads` });
    const state = await engine.createState(train.modelEntries(spec, values, { trained: false }), NO_OPTIMISER);
    const step = await engine.compileInference(train.inferenceProgram(spec, batch), state, { frozen: true });
    const result = await measure(step, { loader, broken, dataset, context });
    if (!Number.isFinite(result.loss)) warnOfLogits(source, notFinite(values), context);
    return result;
  } finally {
    await Promise.all([loader.close(), engine.dispose()]);
  }
}

async function evaluateOnnx(
  { model, heads }: { readonly model: string; readonly heads?: number },
  config: EvaluateSettings,
  context: StageContext,
): Promise<EvaluateResult> {
  if (heads !== undefined) {
    throw new ConfigError(`${model}: ${HEADS_FLAG} is for a ViT checkpoint, not an ONNX model; leave it out`);
  }
  const dataset = await openTest(config, context);
  const { onnx = onnxSchema.parse({}), engine } = config;
  context.emit({ type: 'phase', text: 'opening the model' });
  const classifier = await OnnxClassifier.open(model, { onnx, engine }, onnxData(config.data, dataset));
  const patch = commonDivisor(...dataset.image);
  try {
    const { loader, broken } = openLoader(config, dataset, patch, context);
    try {
      const result = await measure(classifier.stepFor(patch), { loader, broken, dataset, context });
      if (!Number.isFinite(result.loss)) warnOfLogits(model, undefined, context);
      return result;
    } finally {
      await loader.close();
    }
  } finally {
    await classifier.close();
  }
}

function openTest({ data, seed }: EvaluateSettings, { emit }: StageContext): Promise<Dataset> {
  emit({ type: 'phase', text: 'opening data' });
  return openData(data, 'test', { seed });
}

function openLoader(
  { data: { workers }, eval: { batch }, seed }: EvaluateSettings,
  dataset: Dataset,
  patch: number,
  context: StageContext,
): Pick<Measuring, 'loader' | 'broken'> {
  const broken = new BrokenImages(context);
  broken.addLeftOut(dataset);
  warnOfFiles([dataset], context);
  const loader = new Loader({ dataset, mode: 'eval', batch, patch, seed, workers, onBroken: broken.add });
  return { loader, broken };
}

interface Measuring {
  readonly loader: Loader;
  readonly broken: BrokenImages;
  readonly dataset: Dataset;
  readonly context: StageContext;
}

async function measure(
  step: InferenceStep,
  { loader, broken, dataset: { indices, source }, context }: Measuring,
): Promise<EvaluateResult> {
  const total = indices.length;
  context.emit({ type: 'phase', text: `evaluating ${total} images` });
  const start = performance.now();
  const onBatch = (done: number) => context.emit({ type: 'evaluating', done, total });
  const { classes } = source;
  const quality = await train.evaluateModel({ step, loader, classes, signal: context.signal, onBatch });
  if (!quality) throw new InterruptedError('stopped during the evaluation; nothing was written');
  const seconds = (performance.now() - start) / 1000;
  return { ...quality, imagesPerSecond: quality.images / seconds, ...broken.result() };
}

/** The cause of a loss that is not a number, for nothing was trained here. */
function warnOfLogits(source: string, broken: string | undefined, { emit }: StageContext): void {
  const cause = broken ?? 'check its weights';
  emit({ type: 'warning', text: `${source}: gives logits that are not finite, so neither is the loss; ${cause}` });
}

/** The largest patch that images of this size are cut into. */
function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** For states that are never trained. */
export const NO_OPTIMISER = { beta1: 0, beta2: 0, epsilon: 0 } as const;
