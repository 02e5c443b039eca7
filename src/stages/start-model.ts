/** The model that a training starts from: a checkpoint, or one that is materialised from templates and scalers. */
import { ConfigError } from '../base/errors.js';
import { artifactFile, type LineageParent } from '../checkpoint/index.js';
import type { Dataset } from '../data/index.js';
import { resizeRemedy } from '../model/config.js';
import type { Hints } from '../model/detect.js';
import { initialise } from '../model/initialise.js';
import { loadModel, loadModelSpec } from '../model/load.js';
import { isHead } from '../model/parameters.js';
import { preprocessFor } from '../model/preprocess.js';
import { type PositionFilter, resizePositions } from '../model/resize-positions.js';
import { geometry, type ModelSpec, type Preprocess } from '../model/spec.js';
import { checkTogether, loadScalers, loadTemplates, materialiseValues } from '../wave/index.js';
import type { StageContext } from './context.js';
import { noteReading } from './reading-note.js';

/** A model of this suite or a ViT checkpoint of timm or Hugging Face, or the two artifacts that a model is made of. */
export type StartInputs =
  | { readonly model: string; readonly heads?: number }
  | { readonly templates: string; readonly scalers: string };

export interface StartModel {
  /** What to call it in messages. */
  readonly source: string;
  readonly spec: ModelSpec;
  /** By timm name. */
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly parents: readonly LineageParent[];
}

/** The files that are read. */
export function inputFiles(inputs: StartInputs): string[] {
  if ('model' in inputs) return [inputs.model];
  return [artifactFile(inputs.templates, 'templates'), artifactFile(inputs.scalers, 'scalers')];
}

/**
 * Reads it; says how a checkpoint of another library was understood.
 *
 * @throws CheckpointError, ModelError; ConfigError when templates and scalers do not belong together.
 */
export async function loadStart(inputs: StartInputs, context: Pick<StageContext, 'emit'>): Promise<StartModel> {
  if ('model' in inputs) {
    const { model: source } = inputs;
    const loaded = await loadModel(source, hintsOf(inputs));
    noteReading(source, loaded, context);
    const { spec, values, sha256 } = loaded;
    return { source, spec, values, parents: [{ name: 'model', sha256 }] };
  }
  const [bank, scalers] = await Promise.all([loadTemplates(inputs.templates), loadScalers(inputs.scalers)]);
  checkTogether({ path: inputs.templates, bank }, { path: inputs.scalers, scalers });
  const { model: spec, templates: layout } = scalers.spec;
  return {
    source: inputs.scalers,
    spec,
    values: materialiseValues(spec, layout, new Map([...bank.values, ...scalers.values])),
    parents: [
      { name: 'templates', sha256: bank.sha256 },
      { name: 'scalers', sha256: scalers.sha256 },
    ],
  };
}

/**
 * The spec of the model alone; weights of a checkpoint are not read.
 *
 * @throws as {@link loadStart}
 */
export async function loadStartSpec(inputs: StartInputs): Promise<Pick<StartModel, 'source' | 'spec'>> {
  if (!('model' in inputs)) {
    const [bank, scalers] = await Promise.all([loadTemplates(inputs.templates), loadScalers(inputs.scalers)]);
    checkTogether({ path: inputs.templates, bank }, { path: inputs.scalers, scalers });
    return { source: inputs.scalers, spec: scalers.spec.model };
  }
  const { spec } = await loadModelSpec(inputs.model, hintsOf(inputs));
  return { source: inputs.model, spec };
}

function hintsOf({ heads }: { readonly heads?: number }): Hints {
  return { insteadOfModel: '--templates and --scalers', ...(heads === undefined ? {} : { heads }) };
}

export interface DownstreamSettings {
  readonly seed: number;
  readonly data: { readonly mean: readonly number[]; readonly std: readonly number[] };
  readonly train: { readonly head: 'auto' | 'keep' | 'replace'; readonly position_filter: PositionFilter };
}

/** A start that fits the data. */
export interface DownstreamModel {
  readonly spec: ModelSpec & { readonly preprocess: Preprocess };
  /** By timm name. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Whether the head is that of the start or a new one. */
  readonly head: 'kept' | 'new';
  /** What was resized, in words; absent for images of the start's own size. */
  readonly resized?: string;
}

/**
 * The start with the image size and the classes of the data. Positions are resized for images of another size. A new head, also that of a distillation token, has weights from a truncated
 * normal of deviation 0.02 and no bias; the names of the old classes go with the old head.
 *
 * @throws ConfigError when the images have other channels than the model, or a size that its patches do not divide, or
 * `head: keep` cannot be done.
 */
export function fitToData(
  start: StartModel,
  { data, train, seed }: DownstreamSettings,
  images: Dataset,
): DownstreamModel {
  const { source } = start;
  checkPictures(start, images);
  const { classes } = images.source;
  const { spec: given, values, resized } = resizedTo(images.image, start, train.position_filter);
  const agrees = given.classes === classes;
  if (train.head === 'keep' && !agrees) {
    throw new ConfigError(
      `train.head: keep needs as many classes as the model has; ${source} has ${given.classes}, the data ${classes}; ` +
        'use auto or replace',
    );
  }
  const preprocess = preprocessFor(data.mean, data.std, images.channels);
  if (agrees && train.head !== 'replace') {
    return { head: 'kept', spec: { ...given, preprocess }, values, ...resized };
  }
  const { labels: _, ...rest } = given;
  const spec = { ...rest, classes, preprocess };
  return { head: 'new', spec, values: new Map([...values, ...newHead(spec, seed)]), ...resized };
}

/** The start for images of another size, and what that took. */
function resizedTo(image: readonly [number, number], { spec, values }: StartModel, filter: PositionFilter) {
  const fitted = resizePositions({ spec, values }, image, filter);
  const [before, after] = [geometry(spec), geometry(fitted.spec)].map(({ grid }) => grid.join('x'));
  return { ...fitted, resized: before === after ? {} : { resized: `${before} to ${after} patches` } };
}

/** Values of the head, and of that of a distillation token, by timm name. */
export function newHead(spec: ModelSpec, seed: number): Map<string, Float32Array> {
  // Without blocks: no other parameter is needed, and each has random numbers of its own.
  return new Map([...initialise({ ...spec, depth: 0 }, seed)].filter(([name]) => isHead(name)));
}

/** What to do where templates and scalers meet images of another size: their positions are templates of the bank. */
export const RESIZE_SCALERS =
  'distil a bank at that size, or make a model of these (wave init --materialise) and finetune it, which resizes positions';

/** @throws ConfigError when the images of the data are not those that scalers are for. */
export function checkImages({ source, spec }: Pick<StartModel, 'source' | 'spec'>, images: Dataset): void {
  checkPictures({ source, spec }, images, false);
  const [height, width] = spec.image;
  if (height !== images.image[0] || width !== images.image[1]) {
    throw new ConfigError(
      `${source}: holds scalers for images of ${height}x${width}, those of the data are ` +
        `${images.image.join('x')}; ${RESIZE_SCALERS}`,
    );
  }
}

/**
 * @param resizable whether positions can be resized for any images that the patches divide
 * @throws ConfigError when the images of the data have other channels than a model, or a size that its patches do not
 * divide, or both.
 */
function checkPictures(
  { source, spec }: Pick<StartModel, 'source' | 'spec'>,
  { channels, image, source: data }: Dataset,
  resizable = true,
): void {
  const problems: string[] = [];
  const remedies: string[] = [];
  if (spec.channels !== channels) {
    problems.push(`is a model for images with ${channelCount(spec.channels)}, those of the data have ${channels}`);
    const canBe = hasChannels(data, spec.channels);
    if (canBe) remedies.push(`--set data.channels=${spec.channels}`);
  }
  const fits = image.every((side) => side % spec.patch === 0);
  if (resizable && !fits) {
    problems.push(`has patches of ${spec.patch} pixels, which do not divide the images of ${image.join('x')}`);
    remedies.push(resizeRemedy(spec));
  }
  if (problems.length === 0) return;
  const advice =
    remedies.length < problems.length ? 'choose another model' : `${remedies.join(' and ')}, or choose another model`;
  throw new ConfigError(`${source}: ${problems.join(', and ')}; ${advice}`);
}

/** Whether `data.channels` can make images of so many channels. */
function hasChannels(data: Dataset['source'], channels: number): boolean {
  if (data.channels === 1 || data.channels === channels) return true;
  const decoded = data.kind === 'records' && !('raw' in data.records && data.records.raw);
  return decoded && (channels === 1 || channels === 3);
}

function channelCount(channels: number): string {
  return `${channels} channel${channels === 1 ? '' : 's'}`;
}
