/** Stage `pretrain`: trains a ViT from random weights. Makes ancestors, and the from-scratch rows of comparisons. */
import { z } from 'zod';
import { recipeShape } from '../config/recipes.js';
import type { Dataset } from '../data/index.js';
import { checkEngine, createEngine } from '../engine/create.js';
import { checkFits, checkModel, resolveModel } from '../model/config.js';
import { initialise } from '../model/initialise.js';
import { parameterCount } from '../model/parameters.js';
import { preprocessFor } from '../model/preprocess.js';
import type { ModelSpec } from '../model/spec.js';
import * as train from '../train/index.js';
import { checkSameSettings } from './changed-settings.js';
import { withLabels } from './class-map.js';
import type { StageContext } from './context.js';
import { withDevice } from './device.js';
import { compileModelRun } from './model-programs.js';
import { withOpened } from './opened.js';
import { openWeights } from './result-weights.js';
import { openLoaders, openRunData, runLineage } from './run-data.js';
import { checkRunFolder, type OutFolder, type RunFiles } from './run-folder.js';
import { commonShape, modelShape } from './schemas.js';
import { prepareRun, type Trained, trainModel } from './training-run.js';

/** Settings of `pretrain`; what is left out gets the defaults of docs/configuration.md. */
export const pretrainSchema = z.strictObject({
  ...recipeShape,
  ...modelShape,
  ...commonShape,
  train: train.pretrainTrainSchema.prefault({}),
});

/** The checked configuration of `pretrain`. */
export type PretrainConfig = z.output<typeof pretrainSchema>;

/** What was trained, and how well. */
export interface PretrainResult {
  /** Path of the model. */
  readonly model: string;
  readonly steps: number;
  readonly epochs: number;
  /** Shares in 0..1, on the test split. */
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
  /** With `train.keep_best`. */
  readonly best?: Trained['best'];
  readonly parameters: number;
  /** Images that could not be read in this run and were left out; absent: none. */
  readonly brokenImages?: number;
  /** Of training alone; 0 when nothing was left to train. */
  readonly imagesPerSecond: number;
  /** Share of the time of training that was spent waiting for batches, 0..1. */
  readonly dataWait: number;
  readonly seconds: number;
  readonly engine: string;
  readonly device: string;
}

const FILES: RunFiles = { makes: ['model'] };

/**
 * Checks what needs no data: that the sizes of the model fit together, and the data as far as the configuration
 * describes it; and that the engine is one of this version.
 *
 * @returns the model, right in depth, width, heads and hidden
 * @throws ConfigError, EngineError
 */
export function checkPretrain({ model, data, engine }: PretrainConfig): ModelSpec {
  checkEngine(engine);
  const drawn = data.source === 'synthetic' ? data.synthetic : undefined;
  const image = data.image ?? drawn?.image;
  return checkModel(model, {
    image: typeof image === 'number' ? [image, image] : image,
    channels: data.channels ?? drawn?.channels,
    classes: data.classes ?? drawn?.classes,
  });
}

/**
 * Trains, evaluates after every `eval_every` epochs, and writes `model.safetensors`, `metrics.jsonl`,
 * `config.resolved.yaml` and `state.safetensors` into the run folder, and `best.safetensors` with `train.keep_best`. With
 * `train.ema` the average of the weights is what is evaluated and written. Nothing is written before data, model and engine
 * have proved usable.
 *
 * @throws ConfigError, DataError, EngineError; WaveError when the folder cannot be written; TrainingError when the loss
 * is no longer a number (the last saved state stays); InterruptedError when `context.signal` was aborted (the state is
 * saved).
 */
export async function pretrain(asked: PretrainConfig, out: OutFolder, context: StageContext): Promise<PretrainResult> {
  const start = performance.now();
  checkPretrain(asked);
  const { config: settings } = await checkRunFolder(out, FILES);
  const config = await withDevice(asked, context, out);
  if (out.resume) await checkSameSettings(settings, config);
  const data = await openRunData(config, context);
  const spec = modelFor(config, data.train);
  const { channels, source, image } = data.test;
  checkFits(spec, { channels, classes: source.classes, image });
  const open = { loaders: () => openLoaders(config, data, spec.patch), engine: () => createEngine(config.engine) };
  return withOpened(open, async (loaders, engine) => {
    const lineage = () => runLineage({ config, parents: [], data, engine, context });
    const [beta1, beta2] = config.train.betas;
    const entries = train.modelEntries(spec, initialise(spec, config.seed), {
      trained: true,
      weightDecay: config.train.weight_decay,
    });
    const state = await engine.createState(entries, { beta1, beta2, epsilon: config.train.eps });
    const { weights, hooks } = await openWeights(config.train, { engine, state, entries, spec, lineage });
    const compile = () => compileModelRun({ config, spec, engine, state, evaluated: weights.state });
    const { classes } = spec;
    const parts = { config, engine, state, loaders, classes, files: FILES, lineage, compile, context, ...hooks };
    const run = await prepareRun(parts, out);
    const trained = await trainModel(run);
    if (!run.finished) await weights.save(run.folder.model);
    return {
      model: run.folder.model,
      parameters: parameterCount(spec),
      seconds: (performance.now() - start) / 1000,
      engine: engine.name,
      device: engine.device,
      ...trained,
    };
  });
}

function modelFor(config: PretrainConfig, data: Dataset): ModelSpec {
  const { source, channels, image } = data;
  const spec = resolveModel(config.model, {
    channels,
    classes: source.classes,
    image,
    preprocess: preprocessFor(config.data.mean, config.data.std, channels),
  });
  return withLabels(spec, data);
}
