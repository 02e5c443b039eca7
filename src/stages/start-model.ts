/** The model that a training starts from: a checkpoint, or one that is materialised from templates and scalers. */
import { ConfigError } from '../base/errors.js';
import { artifactFile, type LineageParent } from '../checkpoint/index.js';
import type { Dataset } from '../data/index.js';
import type { Hints } from '../model/detect.js';
import { initialise } from '../model/initialise.js';
import { loadModel, loadModelSpec } from '../model/load.js';
import { isHead } from '../model/parameters.js';
import { preprocessFor } from '../model/preprocess.js';
import type { ModelSpec, Preprocess } from '../model/spec.js';
import { checkTogether, loadScalers, loadTemplates, materialiseValues } from '../wave/index.js';

/** A model of this suite or a bare timm checkpoint, or the two artifacts that a model is made of. */
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

/** @throws CheckpointError, ModelError; ConfigError when templates and scalers do not belong together. */
export async function loadStart(inputs: StartInputs): Promise<StartModel> {
  if ('model' in inputs) {
    const { model: source } = inputs;
    const { spec, values, sha256 } = await loadModel(source, hintsOf(inputs));
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
  readonly train: { readonly head: 'auto' | 'keep' | 'replace' };
}

/** A start that fits the data. */
export interface DownstreamModel {
  readonly spec: ModelSpec & { readonly preprocess: Preprocess };
  /** By timm name. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Whether the head is that of the start or a new one. */
  readonly head: 'kept' | 'new';
}

/**
 * The start with the classes of the data. A new head, also that of a distillation token, has weights from a truncated
 * normal of deviation 0.02 and no bias; the names of the old classes go with the old head.
 *
 * @throws ConfigError when the images are not those of the model, or `head: keep` cannot be done.
 */
export function fitToData(
  start: StartModel,
  { data, train, seed }: DownstreamSettings,
  images: Dataset,
): DownstreamModel {
  const { source, spec: given } = start;
  checkImages(start, images);
  const { classes } = images.source;
  const agrees = given.classes === classes;
  if (train.head === 'keep' && !agrees) {
    throw new ConfigError(
      `train.head: keep needs as many classes as the model has; ${source} has ${given.classes}, the data ${classes}; ` +
        'use auto or replace',
    );
  }
  const preprocess = preprocessFor(data.mean, data.std, images.channels);
  if (agrees && train.head !== 'replace') {
    return { head: 'kept', spec: { ...given, preprocess }, values: start.values };
  }
  const { labels: _, ...rest } = given;
  const spec = { ...rest, classes, preprocess };
  return { head: 'new', spec, values: new Map([...start.values, ...newHead(spec, seed)]) };
}

/** Values of the head, and of that of a distillation token, by timm name. */
export function newHead(spec: ModelSpec, seed: number): Map<string, Float32Array> {
  // Without blocks: no other parameter is needed, and each has random numbers of its own.
  return new Map([...initialise({ ...spec, depth: 0 }, seed)].filter(([name]) => isHead(name)));
}

/** @throws ConfigError when the images of the data are not those that a model is for. */
export function checkImages(
  { source, spec }: Pick<StartModel, 'source' | 'spec'>,
  { channels, source: images }: Dataset,
): void {
  const [height, width] = spec.image;
  if (spec.channels !== channels) {
    throw new ConfigError(
      `${source}: is a model for images with ${channelCount(spec.channels)}, those of the data have ` +
        `${channels}; change data.channels or choose another model`,
    );
  }
  if (height !== images.height || width !== images.width) {
    throw new ConfigError(
      `${source}: is a model for images of ${height}x${width}, those of the data are ${images.height}x${images.width}; ` +
        'position embeddings are not resized in this version: choose a model or data that fit',
    );
  }
}

function channelCount(channels: number): string {
  return `${channels} channel${channels === 1 ? '' : 's'}`;
}
