/** Stage `predict`: the most probable classes of images, and their logits. */
import { ConfigError, InterruptedError, ModelError } from '../base/errors.js';
import { writeSafetensors } from '../checkpoint/index.js';
import { engineSchema } from '../config/engine-schema.js';
import { patchify } from '../data/index.js';
import { checkEngine, createEngine } from '../engine/create.js';
import type { InferenceStep } from '../engine/types.js';
import { loadModel } from '../model/load.js';
import { changedPreprocess, type PreprocessChanges } from '../model/preprocess.js';
import type { ModelSpec, Preprocess } from '../model/spec.js';
import * as train from '../train/index.js';
import type { StageContext } from './context.js';
import { withDevice } from './device.js';
import { NO_OPTIMISER } from './evaluate.js';
import { notFinite } from './finite-weights.js';
import { checkOutFile } from './out-file.js';
import { type InputPart, listInputs, readInputs } from './predict-inputs.js';
import { noteReading } from './reading-note.js';

/** What is classified, and by which model. */
export interface PredictOptions {
  /** Path of a model of this suite, or of a ViT checkpoint of timm or Hugging Face. */
  readonly model: string;
  /** Image files, folders of images, or safetensors files with a tensor `input`. */
  readonly inputs: readonly string[];
  readonly heads?: number;
  /** How images are prepared, in place of what the model says. */
  readonly preprocess?: PreprocessChanges;
  /** Classes to tell for each image. */
  readonly top: number;
  /** Where to write `logits [images, classes]`. */
  readonly logitsOut?: string;
  readonly engine?: { readonly name?: string; readonly device?: string; readonly threads?: number };
}

/** A class with its probability. */
export interface Guess {
  readonly label: string;
  readonly class: number;
  /** Softmax of the logits, 0..1. */
  readonly probability: number;
}

/** The most probable classes of each image. */
export interface PredictResult {
  readonly classes: number;
  readonly predictions: readonly {
    readonly input: string;
    /** Position of the image in its input. */
    readonly index: number;
    readonly top: readonly Guess[];
  }[];
}

/** Images computed at a time. */
const BATCH = 16;
/** ImageNet's statistics, which timm's DeiT checkpoints were trained with: for checkpoints of three channels. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const CENTRED = { mean: [0.5], std: [0.5] };

/**
 * @throws CheckpointError, ModelError, DataError, EngineError; ConfigError for a wrong engine; InterruptedError when
 * `context.signal` was aborted.
 */
export async function predict(options: PredictOptions, context: StageContext): Promise<PredictResult> {
  const engineSettings = engineConfig(options.engine);
  checkEngine(engineSettings);
  const files = await listInputs(options.inputs);
  if (options.logitsOut !== undefined) {
    await checkOutFile({ path: options.logitsOut, force: true }, [options.model, ...files.map(({ path }) => path)]);
  }
  const hints = options.heads === undefined ? {} : { heads: options.heads };
  const loaded = await loadModel(options.model, hints);
  noteReading(options.model, loaded, context);
  const { spec, values } = loaded;
  const needsPreprocess = files.some(({ kind }) => kind === 'image');
  const preprocess = preprocessOf(spec, options, needsPreprocess, context);
  const chosen = await withDevice({ engine: engineSettings }, context);
  const engine = await createEngine(chosen.engine);
  try {
    const state = await engine.createState(train.modelEntries(spec, values, { trained: false }), NO_OPTIMISER);
    const step = await engine.compileInference(train.inferenceProgram(spec, BATCH), state, { frozen: true });
    const predictions: PredictResult['predictions'][number][] = [];
    const logits: Float32Array[] = [];
    for await (const part of readInputs(files, spec, preprocess, BATCH)) {
      if (context.signal.aborted)
        throw new InterruptedError('stopped before all images were done; nothing was written');
      const rows = await run(step, spec, part);
      part.origins.forEach(({ input, index }, i) => {
        const row = rows.slice(i * spec.classes, (i + 1) * spec.classes);
        if (!row.every(Number.isFinite)) {
          const cause = notFinite(values) ?? 'check both';
          throw new ModelError(`${options.model}: gives logits that are not finite for ${input}; ${cause}`);
        }
        logits.push(row);
        predictions.push({ input, index, top: best(row, options.top, spec.labels) });
      });
    }
    if (options.logitsOut !== undefined) await writeLogits(options.logitsOut, logits, spec.classes);
    return { classes: spec.classes, predictions };
  } finally {
    await engine.dispose();
  }
}

function engineConfig(engine: PredictOptions['engine']) {
  const parsed = engineSchema.safeParse(engine ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ConfigError(`engine.${issue?.path.join('.')}: ${issue?.message}`);
}

/** The model's own, changed as asked; a checkpoint that has none gets ImageNet's or 0.5, and a warning when images need them. */
function preprocessOf(
  spec: ModelSpec,
  { model, preprocess: changes = {} }: PredictOptions,
  needed: boolean,
  context: StageContext,
): Preprocess {
  const fallback = spec.channels === 3 ? IMAGENET : CENTRED;
  const isKnown = spec.preprocess !== undefined || (changes.mean !== undefined && changes.std !== undefined);
  if (needed && !isKnown) {
    const [mean, std] = [changes.mean ?? fallback.mean, changes.std ?? fallback.std].map((values) => values.join(', '));
    const text =
      `${model} does not say how its images were normalised: mean [${mean}], std [${std}] assumed; --mean and --std say ` +
      'otherwise';
    context.emit({ type: 'warning', text });
  }
  return changedPreprocess({ ...spec, preprocess: spec.preprocess ?? fallback }, changes) ?? fallback;
}

/** Logits of one part, `[BATCH, classes]`; rows beyond its images are padding. */
async function run(step: InferenceStep, spec: ModelSpec, { values }: InputPart): Promise<Float32Array> {
  const [height, width] = spec.image;
  const padded = new Float32Array(BATCH * spec.channels * height * width);
  padded.set(values);
  const shape = { batch: BATCH, channels: spec.channels, height, width, patch: spec.patch };
  const outputs = await step.run(new Map([[train.PATCHES, patchify(padded, shape)]]));
  return outputs.get(train.LOGITS) as Float32Array;
}

function best(logits: Float32Array, top: number, labels: readonly string[] | undefined): Guess[] {
  const max = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, value) => total + Math.exp(value - max), 0);
  return Array.from(logits, (value, index) => ({ value, index }))
    .sort((a, b) => b.value - a.value || a.index - b.index)
    .slice(0, top)
    .map(({ value, index }) => ({
      label: labels?.[index] ?? `class ${index}`,
      class: index,
      probability: Math.exp(value - max) / sum,
    }));
}

async function writeLogits(path: string, rows: readonly Float32Array[], classes: number): Promise<void> {
  const data = new Float32Array(rows.length * classes);
  rows.forEach((row, i) => {
    data.set(row, i * classes);
  });
  await writeSafetensors(path, [['logits', { dtype: 'F32', shape: [rows.length, classes], data }]], [['format', 'pt']]);
}
