/** Stage `exportModel`: a model as the files of another library, opened again and compared before it counts as done. */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, InterruptedError } from '../base/errors.js';
import type { Agreement, ExportOptions, ExportPlan } from '../model/export/format.js';
import { findFormat } from '../model/export/registry.js';
import { parameterCount } from '../model/parameters.js';
import { changedPreprocess, type PreprocessChanges } from '../model/preprocess.js';
import { geometry, type ModelSpec } from '../model/spec.js';
import type { StageContext } from './context.js';
import { epsilonChange, type LogitChange } from './epsilon.js';
import { checkExportFolder, type ExportFolder, inTheWay, openExportFolder } from './export-folder.js';
import { notFinite } from './finite-weights.js';
import { inputFiles, loadStart, loadStartSpec, type StartInputs, type StartModel } from './start-model.js';

/** How to export. */
export interface ExportSettings extends ExportOptions {
  /** One of `FORMATS`. */
  readonly format: string;
  /** How images are prepared, in place of what the model says. */
  readonly preprocess?: PreprocessChanges;
}

/** What is written, or would be. */
export interface ExportSummary {
  readonly format: string;
  readonly dir: string;
  /** Names in the folder, in the order of writing. */
  readonly files: readonly string[];
  /** Names of an earlier export that are replaced or removed. */
  readonly replaces: readonly string[];
  /** The model as the files say it. */
  readonly spec: ModelSpec;
  readonly parameters: number;
  readonly warnings: readonly string[];
}

/** What was written. */
export interface ExportResult extends ExportSummary {
  /** Of all files together. */
  readonly bytes: number;
  /** Change of the logits on a few random images, for a format that has another epsilon than the model. */
  readonly epsilonChange?: LogitChange;
  /** For a format that is a program, which is run to compare it. */
  readonly agreement?: Agreement;
  readonly seconds: number;
}

/**
 * Does all that {@link exportModel} does before it reads weights.
 *
 * @throws as {@link exportModel}
 */
export async function checkExport(
  source: string | StartInputs,
  settings: ExportSettings,
  out: ExportFolder,
): Promise<ExportSummary> {
  const inputs = inputsOf(source);
  const { summary } = await prepare(prepared(await loadStartSpec(inputs), settings), inputs, settings, out);
  return summary;
}

/**
 * Writes a model as another library saves it, and reads it back: every value must be the same to the bit. What is a program
 * is run instead, and must agree but for rounding.
 *
 * @param source path of a model; or with `heads`, for a checkpoint that does not tell them; or templates and the scalers of
 * a target, of which the weights are made first
 * @throws ConfigError for an unknown format, an option that it does not take, preprocessing that cannot be, or a folder that
 * may not be written; ModelError when the format cannot express the model, or what was written is not what is read back;
 * CheckpointError, WriteError; InterruptedError when `context.signal` was aborted. Nothing is left in the folder then.
 */
export async function exportModel(
  source: string | StartInputs,
  settings: ExportSettings,
  out: ExportFolder,
  context: StageContext,
): Promise<ExportResult> {
  const start = performance.now();
  const inputs = inputsOf(source);
  // Whatever is wrong shows before the weights are read, or made.
  await checkExport(inputs, settings, out);
  const model = prepared(await loadStart(inputs, context), settings);
  const broken = notFinite(model.values);
  if (broken !== undefined) {
    context.emit({ type: 'warning', text: `${model.source}: ${broken}; its logits will not be finite either` });
  }
  const { format, plan, summary } = await prepare(model, inputs, settings, out);
  const change = await changeOf(model, plan, settings, context);
  if (context.signal.aborted) throw new InterruptedError('stopped; nothing was written');
  for (const text of plan.warnings) context.emit({ type: 'warning', text });
  context.emit({ type: 'phase', text: `writing ${out.dir}` });
  await openExportFolder(out, plan);
  let agreement: Agreement | undefined;
  try {
    await format.write(out.dir, model, plan, settings);
    context.emit({ type: 'phase', text: 'opening it again and comparing' });
    agreement = await format.verify(out.dir, model, plan, settings);
  } catch (error) {
    for (const name of plan.files) await rm(join(out.dir, name), { force: true });
    throw error;
  }
  let bytes = 0;
  for (const name of plan.files) bytes += (await stat(join(out.dir, name))).size;
  const seconds = (performance.now() - start) / 1000;
  return { ...summary, bytes, ...(change && { epsilonChange: change }), ...(agreement && { agreement }), seconds };
}

/** The model with the preprocessing that was asked for. */
function prepared<M extends Pick<StartModel, 'spec'>>(model: M, { preprocess: changes = {} }: ExportSettings): M {
  const preprocess = changedPreprocess(model.spec, changes);
  return preprocess === undefined ? model : { ...model, spec: { ...model.spec, preprocess } };
}

function inputsOf(source: string | StartInputs): StartInputs {
  return typeof source === 'string' ? { model: source } : source;
}

async function prepare(
  { source, spec }: Pick<StartModel, 'source' | 'spec'>,
  inputs: StartInputs,
  settings: ExportSettings,
  out: ExportFolder,
) {
  const entry = findFormat(settings.format);
  if (settings.softmax && !entry.softmax) {
    throw new ConfigError(`--softmax: ${entry.name} holds weights, not what is made of logits; leave it out`);
  }
  const format = await entry.load();
  geometry(spec);
  const plan = format.plan(spec, source, settings);
  await checkExportFolder(out, plan, inputFiles(inputs));
  const summary: ExportSummary = {
    format: settings.format,
    dir: out.dir,
    files: plan.files,
    replaces: inTheWay(out.dir, plan),
    spec: plan.spec,
    parameters: parameterCount(plan.spec),
    warnings: plan.warnings,
  };
  return { format, plan, summary };
}

/** Measures what the epsilon of the format changes, and warns of it; undefined when it is the model's own. */
async function changeOf(
  model: StartModel,
  { spec }: ExportPlan,
  { format }: ExportSettings,
  context: StageContext,
): Promise<LogitChange | undefined> {
  if (spec.eps === model.spec.eps) return undefined;
  context.emit({ type: 'phase', text: 'measuring what the epsilon of the layer norms changes' });
  const change = await epsilonChange(model, spec.eps);
  context.emit({
    type: 'warning',
    text:
      `layer norms of ${format} always have epsilon ${spec.eps}, those of the model ${model.spec.eps}: logits of random ` +
      `images change by up to ${change.largest.toPrecision(2)} (the largest is ${change.scale.toPrecision(2)})`,
  });
  return change;
}
