/** Stage `distill`: condenses an ancestor into templates, through an auxiliary model that is made of them. */
import { z } from 'zod';
import { ConfigError } from '../base/errors.js';
import { mebibytes } from '../base/text.js';
import { onnxModelAt } from '../checkpoint/onnx-path.js';
import { checkEngine, createEngine } from '../engine/create.js';
import type { LoadedModel } from '../model/load.js';
import type { ModelSpec } from '../model/spec.js';
import * as train from '../train/index.js';
import {
  type BankSpec,
  type ClosedForm,
  closedFormInThread,
  countNumbers,
  modelKinds,
  randomScalers,
  randomTemplates,
  scalerShapes,
  templateEntries,
  templateShapes,
} from '../wave/index.js';
import { type Ancestor, measureAncestor, openAncestor, rememberWherePaid } from './ancestor.js';
import { checkSameSettings } from './changed-settings.js';
import type { StageContext } from './context.js';
import { withDevice } from './device.js';
import { bankFor, writeBank } from './distill-bank.js';
import { distillShape, missingSizes } from './distill-config.js';
import { distilledModels, drawModel, sizeLabel } from './distill-sizes.js';
import { givesProblem, onnxShape } from './onnx-config.js';
import { withOpened } from './opened.js';
import { peakMemory } from './peak-memory.js';
import { openLoaders, openRunData, type RunData, runLineage } from './run-data.js';
import { checkRunFolder, type OutFolder, type RunFiles } from './run-folder.js';
import { commonShape } from './schemas.js';
import { compileTemplateRun } from './template-programs.js';
import { prepareRun, type RunBegin, type Trained, trainModel } from './training-run.js';

/** Settings of `distill`; what is left out gets the defaults of docs/configuration.md. */
export const distillSchema = z.strictObject({
  ...commonShape,
  ...distillShape,
  ...onnxShape,
  train: train.trainSchemaWith({ lr: 5e-3, weightDecay: 0 }).prefault({}),
});

/** The checked configuration of `distill`. */
export type DistillConfig = z.output<typeof distillSchema>;

/** What `distill` reads besides the data. */
export interface DistillInputs {
  /** A model of this suite, a ViT checkpoint of timm or Hugging Face, or an image classifier in an ONNX file (`.onnx`). */
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
  /** Of an ONNX model, the numbers in its stored tensors; null where it has none. */
  readonly ancestorParameters: number | null;
  /** Template parameters over those of the ancestor. */
  readonly templateShare: number | null;
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
 * Checks what needs no data, and of the ancestor no more than its name.
 *
 * @throws ConfigError, EngineError
 */
export function checkDistill(
  { engine, kd, ce, start, auxiliary }: DistillConfig,
  { ancestor }: Partial<Pick<DistillInputs, 'ancestor'>> = {},
): void {
  checkEngine(engine);
  if (kd.weight === 0 && ce.weight === 0) {
    throw new ConfigError('kd.weight and ce.weight: both are 0, which leaves no loss; raise one of them');
  }
  const path = ancestor === undefined ? undefined : onnxModelAt(ancestor);
  const problems = path === undefined ? [] : onnxProblems({ start, auxiliary }, path);
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
}

/** What is wrong with the settings for an ancestor without weights. */
function onnxProblems({ start, auxiliary }: Pick<DistillConfig, 'start' | 'auxiliary'>, path: string): string[] {
  const sizes = missingSizes(auxiliary);
  return [
    ...(start === 'closed-form'
      ? [
          `start: closed-form is made of the ancestor's weights, and ${path} has none that can be taken over; choose ` +
            'random, or --set start=null',
        ]
      : []),
    ...(sizes === undefined ? [] : [sizes]),
  ];
}

/**
 * Checks what needs of all files only the ancestor.
 *
 * @throws ConfigError as {@link checkDistill}, with what an ONNX file leaves open; CheckpointError when it cannot be read.
 */
async function checkAncestor(config: DistillConfig, { ancestor }: DistillInputs): Promise<void> {
  const path = onnxModelAt(ancestor);
  if (path === undefined) return checkDistill(config, { ancestor });
  checkDistill(config);
  const gives = await givesProblem(path, config.onnx);
  const problems = [...onnxProblems(config, path), ...(gives === undefined ? [] : [gives])];
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
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
  asked: DistillConfig,
  inputs: DistillInputs,
  out: OutFolder,
  context: StageContext,
): Promise<DistillResult> {
  const start = performance.now();
  await checkAncestor(asked, inputs);
  const files: RunFiles = {
    makes: ['templates', 'scalers'],
    reads: [inputs.ancestor],
  };
  const { config: settings } = await checkRunFolder(out, files);
  const config = await withDevice(asked, context, out);
  if (out.resume) await checkSameSettings(settings, config);
  const data = await openRunData(config, context);
  const ancestor = await openAncestor({ path: inputs.ancestor, heads: inputs.heads }, config, data.train, context);
  try {
    return await distilFrom(ancestor, { config, data, files, out, context, start });
  } finally {
    await ancestor.close();
  }
}

interface Distillation {
  readonly config: DistillConfig;
  readonly data: RunData;
  readonly files: RunFiles;
  readonly out: OutFolder;
  readonly context: StageContext;
  /** When the work began, ms. */
  readonly start: number;
}

async function distilFrom(
  ancestor: Ancestor,
  { config, data, files, out, context, start }: Distillation,
): Promise<DistillResult> {
  const bank = bankFor(config, ancestor.vit?.spec, data.train);
  const models = distilledModels(config.distill.sizes, bank);
  const { patch } = bank.model;
  const open = {
    loaders: () => openLoaders(config, data, patch),
    engine: () => createEngine(config.engine),
  };
  return withOpened(open, async (loaders, engine) => {
    const { batch, betas, eps, weight_decay: weightDecay } = config.train;
    const measured = await measureAncestor(ancestor, { engine, batch, patch, loader: loaders.train, context });
    const parents = [{ name: 'ancestor', sha256: ancestor.sha256 }];
    const lineage = () => runLineage({ config, parents, data, engine, context });
    const { model: auxiliary, templates: layout } = bank;
    const { values, errors: startErrors } = await startOf(config, bank, ancestor.vit, {
      resume: out.resume === true,
      context,
    });
    ancestor.release();
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
    const beforeOpening = async (begin: RunBegin) => {
      const { logits } = measured;
      if (config.kd.weight > 0) await rememberWherePaid(logits, config, data.train, patch, { ...begin, context });
    };
    const parts = { config, engine, state, loaders, classes, files, lineage, compile, beforeOpening, context };
    const run = await prepareRun(parts, out);
    const trained = await trainModel(run);
    if (!run.finished) await writeBank(run.folder, bank, await state.read(), lineage);
    const templateParameters = countNumbers(templateShapes(auxiliary, layout));
    const { parameters: ancestorParameters = null } = ancestor;
    return {
      templates: run.folder.templates,
      scalers: run.folder.scalers,
      ancestorTrainTop1: measured.top1,
      ...(startErrors ? { startErrors: Object.fromEntries(startErrors) } : {}),
      templateParameters,
      scalerParameters: countNumbers(scalerShapes(auxiliary, layout)),
      ancestorParameters,
      templateShare: ancestorParameters === null ? null : templateParameters / ancestorParameters,
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

/**
 * First templates and scalers. A run that is resumed has its own: its state is only given the right shapes here. The
 * ancestor's values are gone afterwards.
 */
async function startOf(
  { start, seed }: DistillConfig,
  { model, templates: layout }: BankSpec,
  vit: LoadedModel | undefined,
  { resume, context: { emit, signal } }: { readonly resume: boolean; readonly context: StageContext },
): Promise<Pick<ClosedForm, 'values'> & Partial<ClosedForm>> {
  if (start === 'random' || resume || vit === undefined) {
    return { values: new Map([...randomTemplates(model, layout, seed), ...randomScalers(model, layout, seed)]) };
  }
  const { spec: ancestor, values: weights } = vit;
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

function sizeOf({ depth, width, heads }: ModelSpec): ModelSize {
  return { depth, width, heads };
}
