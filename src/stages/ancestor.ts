/** The ancestor in a distillation: opened, measured, and asked for its logits. */
import { ConfigError, InterruptedError, ModelError } from '../base/errors.js';
import { onnxModelAt } from '../checkpoint/onnx-path.js';
import { type Dataset, Loader } from '../data/index.js';
import type { Engine } from '../engine/types.js';
import { checkFits, convertRemedy } from '../model/config.js';
import { ANCESTOR_HEADS_FLAG } from '../model/detect.js';
import { type LoadedModel, loadModel } from '../model/load.js';
import { parameterCount } from '../model/parameters.js';
import { preprocessFor } from '../model/preprocess.js';
import * as train from '../train/index.js';
import { AncestorLogits, pays } from './ancestor-logits.js';
import { checkLabels, withLabels } from './class-map.js';
import type { StageContext } from './context.js';
import { notFinite } from './finite-weights.js';
import { OnnxClassifier, type OnnxSettings, onnxData } from './onnx-classifier.js';
import { warnOfOtherPixels } from './pixels.js';
import { noteReading } from './reading-note.js';
import type { DataSettings } from './run-data.js';
import type { RunBegin, RunParts } from './training-run.js';

/** Training images on which the ancestor is measured before training. */
const MEASURED_IMAGES = 1000;
/** Standard errors above chance from which on an accuracy is taken to be more than luck. */
const CHANCE_ERRORS = 3;
/** Settings that say how pixels are normalised, by who takes them. */
const PIXELS_OF_DATA = 'data.mean and data.std';
const PIXELS_OF_ONNX = 'onnx.mean, onnx.std, onnx.scale and onnx.layout';

/** Where the ancestor is, and what its file may not say. */
export interface AncestorFile {
  readonly path: string;
  /** Attention heads, for a checkpoint that does not say how many it has. */
  readonly heads?: number | undefined;
}

/** What of a stage's settings decides how the ancestor is read. */
export type AncestorSettings = DataSettings & OnnxSettings;

/** A trained model that is asked for its answers. */
export interface Ancestor {
  readonly path: string;
  readonly sha256: string;
  readonly classes: number;
  /** Undefined where the file does not tell. */
  readonly parameters: number | undefined;
  /** A ViT with its weights, until they are released; undefined for a classifier of which only the answers are known. */
  readonly vit: LoadedModel | undefined;
  /**
   * Makes it ready to be asked.
   *
   * @param patch side of the patches that the loader makes, pixels
   * @throws EngineError
   */
  compile(engine: Engine, batch: number, patch: number): Promise<AncestorLogits>;
  /** Lets go of the weights: those of a compiled ancestor are in its step, and a training can be long. */
  release(): void;
  /** Ends what it has running. */
  close(): Promise<void>;
}

class VitAncestor implements Ancestor {
  readonly path: string;
  readonly sha256: string;
  readonly classes: number;
  readonly parameters: number;
  vit: LoadedModel | undefined;

  constructor(path: string, vit: LoadedModel) {
    [this.path, this.sha256, this.vit] = [path, vit.sha256, vit];
    [this.classes, this.parameters] = [vit.spec.classes, parameterCount(vit.spec)];
  }

  compile(engine: Engine, batch: number): Promise<AncestorLogits> {
    if (!this.vit) throw new Error('internal: the weights of the ancestor were released');
    return AncestorLogits.compile(engine, this.vit, batch);
  }

  release(): void {
    this.vit = undefined;
  }

  async close(): Promise<void> {
    this.release();
  }
}

class OnnxAncestor implements Ancestor {
  readonly path: string;
  readonly sha256: string;
  readonly classes: number;
  readonly parameters: number | undefined;
  readonly vit = undefined;
  readonly #classifier: OnnxClassifier;

  constructor(classifier: OnnxClassifier, classes: number) {
    this.#classifier = classifier;
    const { path, sha256, parameters } = classifier;
    [this.path, this.sha256, this.parameters, this.classes] = [path, sha256, parameters, classes];
  }

  async compile(_engine: Engine, _batch: number, patch: number): Promise<AncestorLogits> {
    return new AncestorLogits(this.#classifier.stepFor(patch), this.classes);
  }

  release(): void {}

  close(): Promise<void> {
    return this.#classifier.close();
  }
}

/**
 * Reads the ancestor, a ViT checkpoint or a classifier in an ONNX file, and checks it against the data; warns of pixels
 * normalised in another way than a ViT was trained with.
 *
 * @throws CheckpointError, ModelError; ConfigError when its images or classes are not those of the data, or go by other names.
 */
export async function openAncestor(
  { path, heads }: AncestorFile,
  settings: AncestorSettings,
  dataset: Dataset,
  context: StageContext,
): Promise<Ancestor> {
  const { source, image, channels } = dataset;
  const { mean, std } = settings.data;
  const onnx = onnxModelAt(path);
  if (onnx !== undefined) {
    if (heads !== undefined) {
      throw new ConfigError(`${path}: ${ANCESTOR_HEADS_FLAG} is for a ViT checkpoint, not an ONNX model; leave it out`);
    }
    const classifier = await OnnxClassifier.open(onnx, settings, onnxData(settings.data, dataset));
    return new OnnxAncestor(classifier, source.classes);
  }
  const vit = await loadModel(path, { headsFlag: ANCESTOR_HEADS_FLAG, ...(heads === undefined ? {} : { heads }) });
  noteReading(path, vit, context);
  const broken = notFinite(vit.values);
  if (broken !== undefined) {
    throw new ModelError(`${path}: ${broken}, so its logits teach nothing; use an ancestor that was trained well`);
  }
  const remedy = convertRemedy(path, vit.spec, image);
  checkFits(vit.spec, { channels, classes: source.classes, image }, { role: 'ancestor', remedy });
  warnOfOtherPixels(vit.spec, preprocessFor(mean, std, channels), context, 'ancestor');
  checkLabels({ source: path, spec: vit.spec }, dataset, settings.data, 'choose an ancestor of these classes');
  return new VitAncestor(path, { ...vit, spec: withLabels(vit.spec, dataset) });
}

export interface MeasuredAncestor {
  readonly logits: AncestorLogits;
  /** Accuracy on the first training images, 0..1. */
  readonly top1: number;
}

interface Measuring {
  readonly engine: Engine;
  readonly batch: number;
  /** Side of the patches that the loader makes, pixels. */
  readonly patch: number;
  readonly loader: Loader;
  readonly context: StageContext;
}

/**
 * Compiles the ancestor and measures it on the first batches of the first epoch, as the training will see them.
 *
 * @throws EngineError; ConfigError when it is right no more often than by chance; InterruptedError.
 */
export async function measureAncestor(
  ancestor: Ancestor,
  { engine, batch, patch, loader, context }: Measuring,
): Promise<MeasuredAncestor> {
  context.emit({ type: 'phase', text: 'measuring the ancestor' });
  const { path, classes, vit } = ancestor;
  const logits = await ancestor.compile(engine, batch, patch);
  const batches = Math.min(loader.batchesPerEpoch, Math.max(1, Math.floor(MEASURED_IMAGES / batch)));
  let scores = train.NO_SCORES;
  for await (const fed of loader.epoch(0)) {
    if (context.signal.aborted) throw new InterruptedError('stopped before the first step; nothing was written');
    scores = train.addScores(scores, train.score(await logits.of(fed), train.mainLabels(fed), classes, fed.size));
    if (scores.images >= batches * batch) break;
  }
  const { top1, images } = train.quality(scores);
  checkAboveChance(path, { top1, images, classes }, vit ? PIXELS_OF_DATA : PIXELS_OF_ONNX);
  context.emit({ type: 'note', text: `ancestor: ${percent(top1)} right on the first ${images} training images` });
  return { logits, top1 };
}

/**
 * Where images never change and the run still trains on as many, the ancestor is asked about each once, before training.
 * Its answers do not depend on the batch that an image is in, so a run that is resumed may do without.
 *
 * @param patch side of the patches that the run's loaders make, pixels
 * @throws InterruptedError
 */
export async function rememberWherePaid(
  logits: AncestorLogits,
  config: DataSettings,
  dataset: Dataset,
  patch: number,
  { plan, startStep, context }: RunBegin & Pick<RunParts, 'context'>,
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

/**
 * @param pixels the settings that say how pixels are normalised
 * @throws ConfigError when an accuracy on so many images cannot be told from guessing.
 */
export function checkAboveChance(
  path: string,
  { top1, images, classes }: { readonly top1: number; readonly images: number; readonly classes: number },
  pixels: string = PIXELS_OF_DATA,
): void {
  const chance = 1 / classes;
  const error = Math.sqrt((chance * (1 - chance)) / images);
  if (top1 > chance + CHANCE_ERRORS * error) return;
  throw new ConfigError(
    `${path}: the ancestor is right on ${percent(top1)} of the first ${images} training images, no better than chance ` +
      `(${percent(chance)}); check ${pixels}, the order of its classes against the labels, and that it was ` +
      'trained for these classes',
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
