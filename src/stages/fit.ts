/** Stage `fit`: trains the scalers of a target, and a new head where classes differ, while the templates stay. */
import { z } from 'zod';
import { ConfigError } from '../base/errors.js';
import { elementCount } from '../base/shape.js';
import { artifactFile, type LineageParent } from '../checkpoint/index.js';
import type { Dataset } from '../data/index.js';
import { checkEngine, createEngine } from '../engine/create.js';
import type { StateEntry } from '../engine/types.js';
import { isHead, parameterCount } from '../model/parameters.js';
import { preprocessFor } from '../model/preprocess.js';
import { saveModel } from '../model/save.js';
import type { ModelSpec } from '../model/spec.js';
import * as train from '../train/index.js';
import {
  checkTogether,
  type DistillationLoss,
  type LoadedBank,
  type LoadedScalers,
  loadScalers,
  loadTemplates,
  materialiseValues,
  type NamedValues,
  OWN,
  saveScalers,
  templateEntries,
} from '../wave/index.js';
import { type Ancestor, measureAncestor, openAncestor, rememberWherePaid } from './ancestor.js';
import { checkSameSettings } from './changed-settings.js';
import { checkLabels, withLabels } from './class-map.js';
import type { StageContext } from './context.js';
import { withDevice } from './device.js';
import { ceSchema, fitKdSchema } from './distill-config.js';
import { onnxShape } from './onnx-config.js';
import { withOpened } from './opened.js';
import { warnOfOtherPixels } from './pixels.js';
import { openLoaders, openRunData, type RunData, runLineage } from './run-data.js';
import { checkRunFolder, type OutFolder, type RunFiles } from './run-folder.js';
import { commonShape, evalSchema } from './schemas.js';
import { checkImages, newHead } from './start-model.js';
import { compileTemplateRun } from './template-programs.js';
import { prepareRun, type RunBegin, type Trained, trainModel } from './training-run.js';

/** Settings of `fit`; what is left out gets the defaults of docs/configuration.md. */
export const fitSchema = z.strictObject({
  ...commonShape,
  ...onnxShape,
  eval: evalSchema.extend({ start: evalSchema.shape.start.unwrap().default(true) }).prefault({}),
  train: train.trainSchemaWith({ lr: 2e-3, weightDecay: 0, steps: 150 }).prefault({}),
  kd: fitKdSchema.prefault({}),
  ce: ceSchema.prefault({}),
});

/** The checked configuration of `fit`. */
export type FitConfig = z.output<typeof fitSchema>;

/** What `fit` reads besides the data. */
export interface FitInputs {
  readonly templates: string;
  readonly scalers: string;
  /**
   * A model of this suite, a ViT checkpoint of timm or Hugging Face, or an image classifier in an ONNX file (`.onnx`); without one,
   * scalers are fitted to the labels alone.
   */
  readonly ancestor?: string | undefined;
  /** Attention heads of the ancestor, for a checkpoint that does not say how many it has. */
  readonly heads?: number | undefined;
}

/** What was trained, and how well; `top1`, `top5` and `loss` are those of the fitted model. */
export interface FitResult extends Trained {
  /** Paths. */
  readonly scalers: string;
  readonly model: string;
  /** Accuracy of the ancestor on the first training images, 0..1. */
  readonly ancestorTrainTop1?: number;
  /** What was trained: scalers, and a head that is not made of templates. */
  readonly scalerParameters: number;
  /** Of the materialised model. */
  readonly parameters: number;
  /** Whether the head is that of the scalers given or a new one. */
  readonly head: 'kept' | 'new';
  readonly seconds: number;
  readonly engine: string;
  readonly device: string;
}

/**
 * Checks what needs neither artifacts nor data.
 *
 * @throws ConfigError when the losses do not fit the ancestor that is given, or is not; EngineError
 */
export function checkFit(config: FitConfig, { ancestor }: Pick<FitInputs, 'ancestor'>): void {
  checkEngine(config.engine);
  const { kd, ce } = config;
  if (ancestor === undefined && (kd.weight ?? 0) > 0) {
    throw new ConfigError(`kd.weight: ${kd.weight} needs an ancestor; give one (--ancestor), or leave the weight out`);
  }
  if (ancestor !== undefined && kd.weight === 0) {
    throw new ConfigError('kd.weight: 0 makes no use of the ancestor; raise it, or give none');
  }
  if (ancestor === undefined && ce.weight === 0) {
    throw new ConfigError('ce.weight: 0 leaves no loss without an ancestor; raise it, or give an ancestor');
  }
}

/**
 * Trains, evaluates before the first step and after every `eval_every` epochs, and writes `scalers.safetensors`,
 * `model.safetensors` (materialised), `metrics.jsonl`, `config.resolved.yaml` and `state.safetensors` into the run folder.
 * Nothing is written before artifacts, ancestor, data and engine have proved usable.
 *
 * @throws CheckpointError, ModelError, ConfigError, DataError, EngineError; WaveError when the folder cannot be written;
 * TrainingError when the loss is no longer a number (the last saved state stays); InterruptedError when
 * `context.signal` was aborted (the state is saved).
 */
export async function fit(
  asked: FitConfig,
  inputs: FitInputs,
  out: OutFolder,
  context: StageContext,
): Promise<FitResult> {
  const start = performance.now();
  checkFit(asked, inputs);
  const files: RunFiles = { makes: ['scalers', 'model'], reads: filesOf(inputs) };
  const { config: settings } = await checkRunFolder(out, files);
  const config = await withDevice(asked, context, out);
  if (out.resume) await checkSameSettings(settings, config);
  const [bank, scalers] = await Promise.all([loadTemplates(inputs.templates), loadScalers(inputs.scalers)]);
  checkTogether({ path: inputs.templates, bank }, { path: inputs.scalers, scalers });
  const data = await openRunData(config, context);
  const { spec, values, head } = fitToData(config, inputs.scalers, scalers, bank, data.train);
  warnOfOtherPixels(scalers.spec.model, spec.preprocess, context);
  if (head === 'new') context.emit({ type: 'note', text: newHeadText(scalers.spec.model, spec) });
  const { ancestor: path, heads } = inputs;
  const ancestor = path === undefined ? undefined : await openAncestor({ path, heads }, config, data.train, context);
  try {
    const target = { bank, scalers, spec, values, head };
    return await fitScalers(target, ancestor, { config, data, files, out, context, start });
  } finally {
    await ancestor?.close();
  }
}

/** What is fitted, and in what. */
interface FitTarget extends Target {
  readonly bank: LoadedBank;
  readonly scalers: LoadedScalers;
}

interface Fitting {
  readonly config: FitConfig;
  readonly data: RunData;
  readonly files: RunFiles;
  readonly out: OutFolder;
  readonly context: StageContext;
  /** When the work began, ms. */
  readonly start: number;
}

async function fitScalers(
  { bank, scalers, spec, values, head }: FitTarget,
  ancestor: Ancestor | undefined,
  { config, data, files, out, context, start }: Fitting,
): Promise<FitResult> {
  const { patch } = spec;
  checkPatches(ancestor, patch);
  const open = { loaders: () => openLoaders(config, data, patch), engine: () => createEngine(config.engine) };
  return withOpened(open, async (loaders, engine) => {
    const { batch, betas, eps, weight_decay: weightDecay } = config.train;
    const measured =
      ancestor && (await measureAncestor(ancestor, { engine, batch, patch, loader: loaders.train, context }));
    ancestor?.release();
    const parents: LineageParent[] = [
      { name: 'templates', sha256: bank.sha256 },
      { name: 'scalers', sha256: scalers.sha256 },
      ...(ancestor ? [{ name: 'ancestor', sha256: ancestor.sha256 }] : []),
    ];
    const lineage = () => runLineage({ config, parents, data, engine, context });
    const layout = scalers.spec.templates;
    const entries = templateEntries(spec, layout, values, { templates: false, scalers: true, weightDecay });
    const [beta1, beta2] = betas;
    const state = await engine.createState(entries, { beta1, beta2, epsilon: eps });
    const made = { model: spec, layout };
    const kd = measured && { loss: lossOf(config), ancestor: measured.logits };
    const compile = () =>
      compileTemplateRun({ config, engine, state, evaluated: made, trained: [{ made }], pick: () => 0, kd });
    const { classes } = spec;
    const beforeOpening = async (begin: RunBegin) => {
      if (measured) await rememberWherePaid(measured.logits, config, data.train, patch, { ...begin, context });
    };
    const parts = { config, engine, state, loaders, classes, files, lineage, compile, beforeOpening, context };
    const run = await prepareRun(parts, out);
    const trained = await trainModel(run);
    const { folder } = run;
    if (!run.finished) {
      const fitted = await state.read();
      await saveScalers(folder.scalers, { spec: { ...scalers.spec, model: spec }, values: fitted, lineage: lineage() });
      await saveModel(folder.model, { spec, values: materialiseValues(spec, layout, fitted), lineage: lineage() });
    }
    return {
      scalers: folder.scalers,
      model: folder.model,
      ...(measured ? { ancestorTrainTop1: measured.top1 } : {}),
      scalerParameters: countTrained(entries),
      parameters: parameterCount(spec),
      head,
      seconds: (performance.now() - start) / 1000,
      engine: engine.name,
      device: engine.device,
      ...trained,
    };
  });
}

/** @throws ConfigError when a ViT ancestor sees other patches than the model that is fitted. */
function checkPatches(ancestor: Ancestor | undefined, patch: number): void {
  const own = ancestor?.vit?.spec.patch;
  if (own === undefined || own === patch) return;
  throw new ConfigError(
    `${ancestor?.path}: has patches of ${own}, the scalers' model of ${patch}; choose the bank's own ancestor`,
  );
}

function filesOf({ templates, scalers, ancestor }: FitInputs): string[] {
  const bank = [artifactFile(templates, 'templates'), artifactFile(scalers, 'scalers')];
  return ancestor === undefined ? bank : [...bank, ancestor];
}

interface Target {
  readonly spec: ModelSpec & { readonly preprocess: NonNullable<ModelSpec['preprocess']> };
  /** `templates.KIND`, `scalers.KIND` and, where it has one, its own head. */
  readonly values: NamedValues;
  readonly head: 'kept' | 'new';
}

/**
 * The target with the classes of the data. A new head has weights from a truncated normal of deviation 0.02 and no bias.
 *
 * @throws ConfigError when the images are not those of the model.
 */
function fitToData(
  { data, seed }: FitConfig,
  path: string,
  scalers: LoadedScalers,
  bank: LoadedBank,
  images: Dataset,
): Target {
  const { model } = scalers.spec;
  checkImages({ source: path, spec: model }, images);
  const preprocess = preprocessFor(data.mean, data.std, images.channels);
  const { classes } = images.source;
  const all = new Map([...bank.values, ...scalers.values]);
  if (classes === model.classes) {
    checkLabels({ source: path, spec: model }, images, data);
    return { spec: withLabels({ ...model, preprocess }, images), values: all, head: 'kept' };
  }
  const { labels: _, ...rest } = model;
  const spec = withLabels({ ...rest, classes, preprocess }, images);
  const body = [...all].filter(([name]) => !isHead(name.replace(/^(templates|scalers|own)\./, '')));
  const own = [...newHead(spec, seed)].map(([name, values]) => [OWN + name, values] as const);
  return { spec, values: new Map([...body, ...own]), head: 'new' };
}

function newHeadText(before: ModelSpec, { classes }: ModelSpec): string {
  return `head: new, ${classes} classes (the scalers are for ${before.classes}); it is not made of templates`;
}

function lossOf({ kd }: FitConfig): DistillationLoss {
  return { ...kd, weight: kd.weight ?? 1 };
}

function countTrained(entries: ReadonlyMap<string, StateEntry>): number {
  let count = 0;
  for (const { spec, rule } of entries.values()) if (rule.trained) count += elementCount(spec.shape);
  return count;
}
