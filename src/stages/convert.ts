/** Stage `convert`: a checkpoint of timm or Hugging Face, or a model, as a model of this suite. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError, DataError, InterruptedError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { printable } from '../base/text.js';
import { toolVersion } from '../base/version.js';
import { makeLineage, openSafetensors } from '../checkpoint/index.js';
import { configSha256 } from '../config/index.js';
import type { PositionFilter } from '../model/choices.js';
import type { Hints } from '../model/detect.js';
import { CONFIG_FILE, PREPROCESSOR_FILE } from '../model/formats/sidecars.js';
import { MOST } from '../model/limits.js';
import { type LoadedSpec, loadModel, loadModelSpec } from '../model/load.js';
import { parameterCount } from '../model/parameters.js';
import { changedPreprocess, type PreprocessChanges } from '../model/preprocess.js';
import { resizedSpec, resizePositions } from '../model/resize-positions.js';
import { saveModel } from '../model/save.js';
import { geometry, type ModelSpec, type Preprocess } from '../model/spec.js';
import type { StageContext } from './context.js';
import { notFinite } from './finite-weights.js';
import { checkOutFile, type OutFile } from './out-file.js';

/** What is converted, and what the user says about it. */
export interface ConvertOptions {
  /** A safetensors file, an index of shards, or a folder that holds one of them. */
  readonly source: string;
  /** Attention heads, where nothing beside the checkpoint says how many. */
  readonly heads?: number | undefined;
  /** Added to the variance in layer norms, where nothing says so. */
  readonly eps?: number | undefined;
  /** Height and width, pixels, that the checkpoint was made for, where that is neither said nor square. */
  readonly fromImage?: readonly [number, number] | undefined;
  /** Height and width, pixels, to resize the positions to. */
  readonly image?: readonly [number, number] | undefined;
  /** How: default `timm`. */
  readonly positionFilter?: PositionFilter | undefined;
  /** Zeros for biases of queries, keys and values that the file does not have. */
  readonly fillBias?: boolean | undefined;
  /** A text file with the name of a class on each line. */
  readonly labels?: string | undefined;
  /** How images are prepared, in place of what is said beside the checkpoint. */
  readonly preprocess?: PreprocessChanges | undefined;
}

/** What is written, or would be, and where each part of it is from. */
export interface ConvertPlan {
  readonly path: string;
  readonly source: string;
  readonly format: LoadedSpec['format'];
  readonly depth: number;
  readonly width: number;
  readonly heads: number;
  readonly headsFrom: string;
  readonly hidden: number;
  readonly patch: number;
  readonly channels: number;
  readonly classes: number;
  /** Height and width, pixels. */
  readonly image: readonly [number, number];
  readonly eps: number;
  readonly epsFrom: string;
  readonly parameters: number;
  /** Parameters that are joined of several tensors. */
  readonly joined: number;
  /** Tensors that no classifier needs. */
  readonly ignored: readonly string[];
  /** Biases that are zeros because the file does not have them. */
  readonly filled: readonly string[];
  /** Rows and columns of patches before and after; null where positions stay as they are. */
  readonly resized: {
    readonly from: readonly [number, number];
    readonly to: readonly [number, number];
    readonly filter: PositionFilter;
  } | null;
  /** Null where nobody says how images are prepared. */
  readonly preprocess: Preprocess | null;
  /** Named classes. */
  readonly labels: number;
  /** What of the files beside the source was left aside, one line each. */
  readonly notes: readonly string[];
}

/** What was written. */
export interface ConvertResult extends ConvertPlan {
  readonly seconds: number;
}

/**
 * Does all that {@link convert} does except reading values and writing.
 *
 * @throws as {@link convert}
 */
export async function checkConvert(options: ConvertOptions, out: OutFile): Promise<ConvertPlan> {
  await checkFiles(options, out);
  const loaded = await loadModelSpec(options.source, hintsOf(options));
  return planOf(options, out, loaded, await targetOf(options, loaded.spec));
}

/**
 * Writes a model artifact that needs nothing beside it.
 *
 * @throws CheckpointError when a file cannot be read or written; ModelError when it does not hold a ViT that this suite can
 * run, or does not say all; ConfigError for options that contradict it, or `out` when it may not be written; DataError when
 * the labels cannot be read; InterruptedError when `context.signal` was aborted. Nothing is written then.
 */
export async function convert(options: ConvertOptions, out: OutFile, context: StageContext): Promise<ConvertResult> {
  const start = performance.now();
  await checkFiles(options, out);
  const loaded = await loadModel(options.source, hintsOf(options));
  const spec = await targetOf(options, loaded.spec);
  const plan = planOf(options, out, loaded, spec);
  if (context.signal.aborted) throw new InterruptedError('stopped; nothing was written');
  const broken = notFinite(loaded.values);
  if (broken !== undefined) context.emit({ type: 'warning', text: `${options.source}: ${broken}; they are kept` });
  const { values } = resizePositions(loaded, spec.image, options.positionFilter);
  const { source: _, labels: __, ...settings } = options;
  const lineage = makeLineage({
    command: context.command,
    configSha256: configSha256({ ...settings, labels: spec.labels ?? null }),
    parents: [{ name: 'source', sha256: loaded.sha256 }],
    seed: 0,
    engine: 'host',
    toolVersion: toolVersion(),
  });
  await saveModel(out.path, { spec, values, lineage });
  return { ...plan, seconds: (performance.now() - start) / 1000 };
}

function hintsOf({ heads, eps, fromImage, fillBias }: ConvertOptions): Hints {
  if (eps !== undefined && !(eps > 0)) throw new ConfigError(`--eps: must be above 0, found ${eps}`);
  return { heads, eps, image: fromImage, fillBias };
}

/** Before anything is read: that what is to be written replaces none of what is read. */
async function checkFiles({ source, labels }: ConvertOptions, out: OutFile): Promise<void> {
  const file = await openSafetensors(source);
  await file.close();
  const beside = file.files.flatMap((path) =>
    [CONFIG_FILE, PREPROCESSOR_FILE].map((name) => join(dirname(path), name)),
  );
  await checkOutFile(out, [source, file.source, ...file.files, ...beside, ...(labels === undefined ? [] : [labels])]);
}

/** The spec of what is written. */
async function targetOf(options: ConvertOptions, given: ModelSpec): Promise<ModelSpec> {
  const { image, positionFilter } = options;
  if (positionFilter !== undefined && image === undefined) {
    throw new ConfigError('--position-filter: is for positions that are resized; leave it out, or give --image');
  }
  const sized = image === undefined ? given : resizedTo(given, image);
  const { preprocess: _, labels: own, ...rest } = sized;
  const preprocess = changedPreprocess(sized, options.preprocess ?? {}) ?? sized.preprocess;
  const labels = options.labels === undefined ? own : await readLabels(options.labels, given.classes);
  return { ...rest, ...(preprocess && { preprocess }), ...(labels && { labels }) };
}

function resizedTo(given: ModelSpec, image: readonly [number, number]): ModelSpec {
  if (image.some((side) => side % given.patch !== 0)) {
    throw new ConfigError(
      `--image: ${image.join('x')} is not divisible by the patches of ${given.patch} that the model has; choose multiples ` +
        `of ${given.patch}`,
    );
  }
  if (image.some((side) => side > MOST.image)) {
    throw new ConfigError(`--image: ${image.join('x')} is too large, at most ${MOST.image} pixels a side`);
  }
  return resizedSpec(given, image);
}

/** @throws DataError when the file cannot be read; ConfigError when it names other than `classes` classes. */
async function readLabels(path: string, classes: number): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new DataError(`${printable(path)}: cannot be read: ${explainIoError(error)}`, 1, { cause: error });
  }
  const labels = text
    .replace(/^\uFEFF/, '')
    .trimEnd()
    .split(/\r?\n/);
  const empty = labels.findIndex((label) => label.trim() === '');
  if (empty >= 0) throw new ConfigError(`${printable(path)}: line ${empty + 1} is empty; name one class on each line`);
  if (labels.length === classes) return labels.map((label) => label.trim());
  throw new ConfigError(
    `${printable(path)}: names ${labels.length} classes, the model has ${classes}; name one on each line`,
  );
}

function planOf(options: ConvertOptions, out: OutFile, loaded: LoadedSpec, spec: ModelSpec): ConvertPlan {
  const { depth, width, heads, hidden, patch, channels, classes, image, eps, preprocess, labels } = spec;
  const { headsFrom, epsFrom, joined, ignored, filled, notes } = loaded.reading;
  const [from, to] = [geometry(loaded.spec).grid, geometry(spec).grid];
  return {
    path: out.path,
    source: options.source,
    format: loaded.format,
    ...{ depth, width, heads, headsFrom, hidden, patch, channels, classes, image, eps, epsFrom },
    parameters: parameterCount(spec),
    ...{ joined, ignored, filled },
    resized: from.join() === to.join() ? null : { from, to, filter: options.positionFilter ?? 'timm' },
    preprocess: preprocess ?? null,
    labels: labels?.length ?? 0,
    notes,
  };
}
