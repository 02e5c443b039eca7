/** Stage `finetune`: trains a model, or one materialised from templates and scalers, on a downstream set. */
import { z } from 'zod';
import { elementCount } from '../base/shape.js';
import { recipeShape } from '../config/recipes.js';
import type { Dataset } from '../data/index.js';
import { checkEngine, createEngine } from '../engine/create.js';
import type { StateEntry } from '../engine/types.js';
import { parameterCount, parameterShapes } from '../model/parameters.js';
import type { ModelSpec } from '../model/spec.js';
import * as train from '../train/index.js';
import { checkSameSettings } from './changed-settings.js';
import { checkLabels, withLabels } from './class-map.js';
import type { StageContext } from './context.js';
import { withDevice } from './device.js';
import { compileModelRun } from './model-programs.js';
import { withOpened } from './opened.js';
import { warnOfOtherPixels } from './pixels.js';
import type { PretrainResult } from './pretrain.js';
import { openWeights } from './result-weights.js';
import { openLoaders, openRunData, runLineage } from './run-data.js';
import { checkRunFolder, type OutFolder, type RunFiles } from './run-folder.js';
import { commonShape } from './schemas.js';
import {
  type DownstreamModel,
  fitToData,
  inputFiles,
  loadStart,
  type StartInputs,
  type StartModel,
} from './start-model.js';
import { prepareRun, trainModel } from './training-run.js';

/** Settings of `finetune`; what is left out gets the defaults of docs/configuration.md. */
export const finetuneSchema = z.strictObject({
  ...recipeShape,
  ...commonShape,
  train: train.finetuneTrainSchema.prefault({}),
});

/** The checked configuration of `finetune`. */
export type FinetuneConfig = z.output<typeof finetuneSchema>;

/** What was trained, and how well. */
export interface FinetuneResult extends PretrainResult {
  /** Parameters that were not frozen. */
  readonly trainable: number;
  /** Whether the head is that of the model given or a new one. */
  readonly head: 'kept' | 'new';
}

/**
 * Checks what needs neither model nor data: that the engine is one of this version.
 *
 * @throws ConfigError, EngineError
 */
export function checkFinetune({ engine }: FinetuneConfig): void {
  checkEngine(engine);
}

/**
 * Trains, evaluates after every `eval_every` epochs, and writes `model.safetensors`, `metrics.jsonl`,
 * `config.resolved.yaml` and `state.safetensors` into the run folder, and `best.safetensors` with `train.keep_best`. With
 * `train.ema` the average of the weights is what is evaluated and written. Nothing is written before model, data and engine have proved usable.
 *
 * @throws CheckpointError, ModelError, ConfigError, DataError, EngineError; WaveError when the folder cannot be written;
 * TrainingError when the loss is no longer a number (the last saved state stays); InterruptedError when
 * `context.signal` was aborted (the state is saved).
 */
export async function finetune(
  asked: FinetuneConfig,
  inputs: StartInputs,
  out: OutFolder,
  context: StageContext,
): Promise<FinetuneResult> {
  const start = performance.now();
  checkFinetune(asked);
  const files: RunFiles = { makes: ['model'], reads: inputFiles(inputs) };
  const { config: settings } = await checkRunFolder(out, files);
  const config = await withDevice(asked, context, out);
  if (out.resume) await checkSameSettings(settings, config);
  const given = await loadStart(inputs, context);
  const frozen = train.frozenParameters(given.spec, config.train.freeze);
  const data = await openRunData(config, context);
  const model = withNames(fitToData(given, config, data.train), given, config, data.train);
  const { spec } = model;
  warnOfOtherPixels(given.spec, spec.preprocess, context);
  const trainable = countTrainable(spec, frozen);
  for (const text of notes(given.spec, model, trainable)) context.emit({ type: 'note', text });
  if (model.head === 'new' && frozen.has('head.weight')) {
    context.emit({
      type: 'warning',
      text: 'the head is new and frozen: it stays random; leave head out of train.freeze',
    });
  }
  const open = { loaders: () => openLoaders(config, data, spec.patch), engine: () => createEngine(config.engine) };
  return withOpened(open, async (loaders, engine) => {
    const lineage = () => runLineage({ config, parents: given.parents, data, engine, context });
    const [beta1, beta2] = config.train.betas;
    const entries = finetuneEntries(config, model, frozen);
    const state = await engine.createState(entries, { beta1, beta2, epsilon: config.train.eps });
    const { weights, hooks } = await openWeights(config.train, { engine, state, entries, spec, lineage });
    const compile = () => compileModelRun({ config, spec, engine, state, evaluated: weights.state });
    const { classes } = spec;
    const parts = { config, engine, state, loaders, classes, files, lineage, compile, context, ...hooks };
    const run = await prepareRun(parts, out);
    const result = await trainModel(run);
    if (!run.finished) await weights.save(run.folder.model);
    return {
      model: run.folder.model,
      parameters: parameterCount(spec),
      trainable,
      head: model.head,
      seconds: (performance.now() - start) / 1000,
      engine: engine.name,
      device: engine.device,
      ...result,
    };
  });
}

/**
 * A new head is for the classes of the data; a kept one knows its own.
 *
 * @throws ConfigError when a kept head calls a class otherwise than the data.
 */
function withNames(
  model: DownstreamModel,
  { source, spec }: StartModel,
  { data }: FinetuneConfig,
  images: Dataset,
): DownstreamModel {
  if (model.head === 'kept') checkLabels({ source, spec }, images, data, 'set train.head to replace');
  return { ...model, spec: withLabels(model.spec, images) };
}

/** Which parameters are trained, and with which share of the learning rate. */
function finetuneEntries(
  { train: { weight_decay: weightDecay, layer_decay } }: Pick<FinetuneConfig, 'train'>,
  { spec, values }: DownstreamModel,
  frozen: ReadonlySet<string>,
): Map<string, StateEntry> {
  return train.modelEntries(spec, values, {
    trained: (name) => !frozen.has(name),
    weightDecay,
    learningRateScale: (name) => train.layerScale(name, spec.depth, layer_decay),
  });
}

function countTrainable(spec: ModelSpec, frozen: ReadonlySet<string>): number {
  const shapes = [...parameterShapes(spec)].filter(([name]) => !frozen.has(name));
  return shapes.reduce((sum, [, shape]) => sum + elementCount(shape), 0);
}

/** What was decided about positions, head and parameters. */
function notes(given: ModelSpec, { spec, head, resized }: DownstreamModel, trainable: number): string[] {
  const parameters = parameterCount(spec);
  const had = given.classes === spec.classes ? '' : ` (the model has ${given.classes})`;
  const frozen = trainable < parameters ? [`frozen: ${parameters - trainable} of ${parameters} parameters`] : [];
  const positions = resized === undefined ? [] : [`positions resized from ${resized}`];
  return [...positions, `head: ${head}, ${spec.classes} classes${had}`, ...frozen];
}
