/** The ancestor in a distillation: opened, measured, and asked for its logits. */
import { ConfigError, InterruptedError } from '../base/errors.js';
import { type Dataset, Loader } from '../data/index.js';
import type { Engine } from '../engine/types.js';
import { checkFits } from '../model/config.js';
import { ANCESTOR_HEADS_FLAG } from '../model/detect.js';
import { type LoadedModel, loadModel } from '../model/load.js';
import { preprocessFor } from '../model/preprocess.js';
import * as train from '../train/index.js';
import { AncestorLogits, pays } from './ancestor-logits.js';
import { checkLabels, withLabels } from './class-map.js';
import type { StageContext } from './context.js';
import { warnOfOtherPixels } from './pixels.js';
import type { DataSettings } from './run-data.js';
import type { Run } from './training-run.js';

/** Training images on which the ancestor is measured before training. */
const MEASURED_IMAGES = 1000;
/** Standard errors above chance from which on an accuracy is taken to be more than luck. */
const CHANCE_ERRORS = 3;

/** Where the ancestor is. */
export interface AncestorFile {
  readonly path: string;
  /** Attention heads, for a checkpoint that does not say how many it has. */
  readonly heads?: number | undefined;
}

/**
 * Reads the ancestor and checks it against the data; warns of pixels normalised in another way than it was trained with.
 *
 * @throws CheckpointError, ModelError; ConfigError when its images or classes are not those of the data, or go by other names.
 */
export async function openAncestor(
  { path, heads }: AncestorFile,
  { data }: DataSettings,
  images: Dataset,
  context: StageContext,
): Promise<LoadedModel> {
  const ancestor = await loadModel(path, { headsFlag: ANCESTOR_HEADS_FLAG, ...(heads === undefined ? {} : { heads }) });
  const { mean, std } = data;
  const { source, image, channels } = images;
  checkFits(ancestor.spec, { channels, classes: source.classes, image }, 'ancestor');
  warnOfOtherPixels(ancestor.spec, preprocessFor(mean, std, channels), context, 'ancestor');
  checkLabels({ source: path, spec: ancestor.spec }, images, data, 'choose an ancestor of these classes');
  return { ...ancestor, spec: withLabels(ancestor.spec, images) };
}

export interface MeasuredAncestor {
  readonly logits: AncestorLogits;
  /** Accuracy on the first training images, 0..1. */
  readonly top1: number;
}

/**
 * Compiles the ancestor and measures it on the first batches of the first epoch, as the training will see them.
 *
 * @throws EngineError; ConfigError when it is right no more often than by chance; InterruptedError.
 */
export async function measureAncestor(
  { path }: AncestorFile,
  ancestor: LoadedModel,
  { engine, batch, loader, context }: { engine: Engine; batch: number; loader: Loader; context: StageContext },
): Promise<MeasuredAncestor> {
  context.emit({ type: 'phase', text: 'measuring the ancestor' });
  const logits = await AncestorLogits.compile(engine, ancestor, batch);
  const { classes } = ancestor.spec;
  const batches = Math.min(loader.batchesPerEpoch, Math.max(1, Math.floor(MEASURED_IMAGES / batch)));
  let scores = train.NO_SCORES;
  for await (const fed of loader.epoch(0)) {
    if (context.signal.aborted) throw new InterruptedError('stopped before the first step; nothing was written');
    scores = train.addScores(scores, train.score(await logits.of(fed), train.mainLabels(fed), classes, fed.size));
    if (scores.images >= batches * batch) break;
  }
  const { top1, images } = train.quality(scores);
  checkAboveChance(path, { top1, images, classes });
  context.emit({ type: 'note', text: `ancestor: ${percent(top1)} right on the first ${images} training images` });
  return { logits, top1 };
}

/**
 * Where images never change and the run still trains on as many, the ancestor is asked about each once, before training.
 * Its answers do not depend on the batch that an image is in, so a run that is resumed may do without.
 *
 * @param patch side of the ancestor's patches, pixels
 * @throws InterruptedError
 */
export async function rememberWherePaid(
  logits: AncestorLogits,
  config: DataSettings,
  dataset: Dataset,
  patch: number,
  { plan, startStep, context }: Run,
): Promise<void> {
  const { batch } = config.train;
  const verdict = pays(dataset, (plan.steps - startStep) * train.stepImages(config.train));
  if (verdict === 'too large') {
    const text = 'logits of all training images would take too much memory: the ancestor is asked in every step';
    context.emit({ type: 'note', text });
  }
  if (verdict !== 'yes') return;
  const { workers } = config.data;
  const loader = new Loader({ dataset, mode: 'eval', batch, patch, seed: config.seed, workers });
  try {
    await logits.remember(loader, dataset, startStep, context);
  } finally {
    await loader.close();
  }
}

/** @throws ConfigError when an accuracy on so many images cannot be told from guessing. */
export function checkAboveChance(
  path: string,
  { top1, images, classes }: { readonly top1: number; readonly images: number; readonly classes: number },
): void {
  const chance = 1 / classes;
  const error = Math.sqrt((chance * (1 - chance)) / images);
  if (top1 > chance + CHANCE_ERRORS * error) return;
  throw new ConfigError(
    `${path}: the ancestor is right on ${percent(top1)} of the first ${images} training images, no better than chance ` +
      `(${percent(chance)}); check data.mean and data.std, the order of its classes against the labels, and that it was ` +
      'trained for these classes',
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
