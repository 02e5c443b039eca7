/** Stage `distill`: condenses an ancestor into templates, through an auxiliary model that is made of them. */
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { ConfigError, WaveError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { mebibytes } from '../base/text.js';
import { type Lineage, sha256File } from '../checkpoint/index.js';
import { checkEngine, createEngine } from '../engine/create.js';
import type { LoadedModel } from '../model/load.js';
import { parameterCount } from '../model/parameters.js';
import { preprocessFor } from '../model/preprocess.js';
import type { ModelSpec } from '../model/spec.js';
import * as train from '../train/index.js';
import {
  type BankSpec,
  type ClosedForm,
  closedFormInThread,
  countNumbers,
  modelKinds,
  type NamedValues,
  randomScalers,
  randomTemplates,
  saveScalers,
  saveTemplates,
  scalerShapes,
  templateEntries,
  templateShapes,
} from '../wave/index.js';
import { measureAncestor, openAncestor, rememberWherePaid } from './ancestor.js';
import { checkSameSettings } from './changed-settings.js';
import type { StageContext } from './context.js';
import { distillShape, resolveAuxiliary, resolveLayout } from './distill-config.js';
import { distilledModels, drawModel, sizeLabel } from './distill-sizes.js';
import { withOpened } from './opened.js';
import { peakMemory } from './peak-memory.js';
import { openLoaders, openRunData, runLineage } from './run-data.js';
import { checkRunFolder, type OutFolder, type RunFiles, type RunFolder } from './run-folder.js';
import { commonShape } from './schemas.js';
import { compileTemplateRun } from './template-programs.js';
import { prepareRun, type Trained, trainModel } from './training-run.js';

/** Settings of `distill`; what is left out gets the defaults of docs/configuration.md. */
export const distillSchema = z.strictObject({
  ...commonShape,
  ...distillShape,
  train: train.trainSchemaWith({ lr: 5e-3, weightDecay: 0 }).prefault({}),
});

/** The checked configuration of `distill`. */
export type DistillConfig = z.output<typeof distillSchema>;

/** What `distill` reads besides the data. */
export interface DistillInputs {
  /** A model of this suite or a ViT checkpoint of timm or Hugging Face. */
  readonly ancestor: string;
  /** Attention heads of the ancestor, for a checkpoint that does not say how many it has. */
  readonly heads?: number | undefined;
}

/** `top1`, `top5` and `loss` are those of the auxiliary model. */
export interface DistillResult extends Trained {
  /** Paths. */
  readonly templates: string;
  readonly scalers: string;
  /** Accuracy of the ancestor on the first training images, 0..1. */
  readonly ancestorTrainTop1: number;
  /**
   * What the closed-form start leaves of the ancestor's weights, by kind: Frobenius norm of the difference over that of
   * the weights, at the ancestor's size. Absent for a random start and for a run that was resumed.
   */
  readonly startErrors?: Readonly<Record<string, number>>;
  readonly templateParameters: number;
  /** Of the auxiliary model. */
  readonly scalerParameters: number;
  readonly ancestorParameters: number;
  /** Template parameters over those of the ancestor. */
  readonly templateShare: number;
  readonly auxiliary: ModelSize;
  /** What was trained besides. */
  readonly sizes: readonly ModelSize[];
  /** Largest resident set of the process, bytes: once everything was compiled, and in the end. */
  readonly compiledMemory: number;
  readonly peakMemory: number;
  readonly seconds: number;
  readonly engine: string;
  readonly device: string;
}

export interface ModelSize {
  readonly depth: number;
  readonly width: number;
  readonly heads: number;
}

/**
 * Checks what needs neither ancestor nor data.
 *
 * @throws ConfigError, EngineError
 */
export function checkDistill({ engine, kd, ce }: DistillConfig): void {
  checkEngine(engine);
  if (kd.weight === 0 && ce.weight === 0) {
    throw new ConfigError('kd.weight and ce.weight: both are 0, which leaves no loss; raise one of them');
  }
}

/**
 * Trains templates and the auxiliary model's scalers, evaluates the auxiliary model after every `eval_every` epochs, and
 * writes `templates.safetensors`, `scalers.safetensors`, `metrics.jsonl`, `config.resolved.yaml` and
 * `state.safetensors` into the run folder. Nothing is written before ancestor, data and engine have proved usable.
 *
 * @throws CheckpointError, ModelError, ConfigError, DataError, EngineError; WaveError when the folder cannot be written;
 * TrainingError when the loss is no longer a number (the last saved state stays); InterruptedError when
 * `context.signal` was aborted (the state is saved).
 */
export async function distill(
  config: DistillConfig,
  inputs: DistillInputs,
  out: OutFolder,
  context: StageContext,
): Promise<DistillResult> {
  const start = performance.now();
  checkDistill(config);
  const files: RunFiles = {
    makes: ['templates', 'scalers'],
    reads: [inputs.ancestor],
  };
  const { config: settings } = await checkRunFolder(out, files);
  if (out.resume) await checkSameSettings(settings, config);
  const data = await openRunData(config, context);
  const file = { path: inputs.ancestor, heads: inputs.heads };
  const ancestor = await openAncestor(file, config, data.train, context);
  const bank = bankFor(config, ancestor.spec);
  const models = distilledModels(config.distill.sizes, bank);
  const open = {
    loaders: () => openLoaders(config, data, ancestor.spec.patch),
    engine: () => createEngine(config.engine),
  };
  return withOpened(open, async (loaders, engine) => {
    const { batch, betas, eps, weight_decay: weightDecay } = config.train;
    const measured = await measureAncestor(file, ancestor, { engine, batch, loader: loaders.train, context });
    const parents = [{ name: 'ancestor', sha256: ancestor.sha256 }];
    const lineage = () => runLineage({ config, parents, data, engine, context });
    const { model: auxiliary, templates: layout } = bank;
    const { values, errors: startErrors } = await startOf(config, bank, ancestor, {
      resume: out.resume === true,
      context,
    });
    const entries = templateEntries(auxiliary, layout, values, { templates: true, scalers: true, weightDecay });
    const [beta1, beta2] = betas;
    const state = await engine.createState(entries, { beta1, beta2, epsilon: eps });
    let compiledMemory = 0;
    const compile = async () => {
      const programs = await compileTemplateRun({
        config,
        engine,
        state,
        evaluated: { model: auxiliary, layout },
        trained: [
          { made: { model: auxiliary, layout }, ...(models.length > 0 ? { label: sizeLabel(auxiliary) } : {}) },
          ...models.map((model) => ({ made: { model, layout, auxiliary }, label: sizeLabel(model, auxiliary) })),
        ],
        pick: (step) => drawModel(config.seed, step, models.length, config.distill.share),
        kd: config.kd.weight > 0 ? { loss: config.kd, ancestor: measured.logits } : undefined,
      });
      compiledMemory = peakMemory();
      context.emit({ type: 'note', text: describeSizes(auxiliary, models, compiledMemory) });
      return programs;
    };
    const { classes } = auxiliary;
    const run = await prepareRun({ config, engine, state, loaders, classes, files, lineage, compile, context }, out);
    if (config.kd.weight > 0) await rememberWherePaid(measured.logits, config, data.train, ancestor.spec.patch, run);
    const trained = await trainModel(run);
    if (!run.finished) await writeBank(run.folder, bank, await state.read(), lineage);
    const templateParameters = countNumbers(templateShapes(auxiliary, layout));
    const ancestorParameters = parameterCount(ancestor.spec);
    return {
      templates: run.folder.templates,
      scalers: run.folder.scalers,
      ancestorTrainTop1: measured.top1,
      ...(startErrors ? { startErrors: Object.fromEntries(startErrors) } : {}),
      templateParameters,
      scalerParameters: countNumbers(scalerShapes(auxiliary, layout)),
      ancestorParameters,
      templateShare: templateParameters / ancestorParameters,
      auxiliary: sizeOf(auxiliary),
      sizes: models.map(sizeOf),
      compiledMemory,
      peakMemory: peakMemory(),
      seconds: (performance.now() - start) / 1000,
      engine: engine.name,
      device: engine.device,
      ...trained,
    };
  });
}

function bankFor({ templates, auxiliary, data }: DistillConfig, ancestor: ModelSpec): BankSpec {
  const layout = resolveLayout(templates, ancestor);
  const preprocess = preprocessFor(data.mean, data.std, ancestor.channels);
  return { model: resolveAuxiliary(auxiliary, ancestor, layout, preprocess), templates: layout };
}

/**
 * First templates and scalers. A run that is resumed has its own: its state is only given the right shapes here. The
 * ancestor's values are gone afterwards.
 */
async function startOf(
  { start, seed }: DistillConfig,
  { model, templates: layout }: BankSpec,
  { spec: ancestor, values: weights }: LoadedModel,
  { resume, context: { emit, signal } }: { readonly resume: boolean; readonly context: StageContext },
): Promise<Pick<ClosedForm, 'values'> & Partial<ClosedForm>> {
  if (start === 'random' || resume) {
    return { values: new Map([...randomTemplates(model, layout, seed), ...randomScalers(model, layout, seed)]) };
  }
  emit({ type: 'phase', text: 'decomposing the ancestor' });
  const found = await closedFormInThread({ auxiliary: model, ancestor, weights, layout, seed }, signal);
  const matrices = modelKinds(model).filter(({ isMatrix }) => isMatrix);
  const mean = matrices.reduce((sum, { name }) => sum + (found.errors.get(name) as number), 0) / matrices.length;
  emit({
    type: 'note',
    text: `closed-form start: ${(100 * mean).toFixed(1)} % of the matrices' norm is missed, for distillation to make good`,
  });
  return found;
}

function describeSizes(auxiliary: ModelSpec, models: readonly ModelSpec[], memory: number): string {
  const others = models.length > 0 ? `, besides ${models.map((model) => sizeLabel(model, auxiliary)).join(', ')}` : '';
  return `trained (width x depth): ${sizeLabel(auxiliary)}${others}; peak memory so far ${mebibytes(memory)}`;
}

/**
 * Templates first: scalers name them by their hash, so scalers mean that both are whole. Those of an earlier run go
 * before, since they would belong to no templates.
 */
async function writeBank(
  folder: RunFolder,
  { model, templates: layout }: BankSpec,
  values: NamedValues,
  lineage: () => Lineage,
): Promise<void> {
  try {
    await rm(folder.scalers, { force: true });
  } catch (error) {
    throw new WaveError(`${folder.scalers}: cannot be replaced: ${explainIoError(error)}`, 1, { cause: error });
  }
  await saveTemplates(folder.templates, { spec: { model, templates: layout }, values, lineage: lineage() });
  const sha256 = await sha256File(folder.templates);
  const spec = { model, templates: layout, templates_sha256: sha256 };
  const own = lineage();
  const parents = [...own.parents, { name: 'templates', sha256 }];
  await saveScalers(folder.scalers, { spec, values, lineage: { ...own, parents } });
}

function sizeOf({ depth, width, heads }: ModelSpec): ModelSize {
  return { depth, width, heads };
}
