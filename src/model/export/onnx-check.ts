/**
 * Checks a written ONNX model: what onnxruntime makes of the file against what the engine makes of the model, on random
 * pixels. The two share no code but onnxruntime's kernels: here, patches are cut by reshaping, there by a convolution.
 */
import { canonicalJson } from '../../base/canonical-json.js';
import { ModelError } from '../../base/errors.js';
import { createRng } from '../../base/rng.js';
import { elementCount } from '../../base/shape.js';
import { type OnnxFile, type OnnxTensor, openOnnxFile } from '../../engine/onnx-file.js';
import { createOrtEngine } from '../../engine/ort/engine.js';
import { type Tensor, tf } from '../../engine/tf.js';
import type { InferenceProgram } from '../../engine/types.js';
import { forward } from '../forward.js';
import { parameterShapes } from '../parameters.js';
import { geometry, type ModelSpec } from '../spec.js';
import type { Agreement, ExportModel } from './format.js';
import { ONNX_OPSET, type OnnxOptions, onnxInterface, outputOf, PIXEL_VALUES } from './onnx.js';
import { onnxSpec } from './onnx-metadata.js';

/** Largest difference that float32 sums in another order explain, with room. */
export const MOST_DIFFERENCE = 1e-4;
/** Images of the two runs. */
const BATCHES = [1, 3] as const;
const IMAGES = BATCHES.reduce((sum, batch) => sum + batch, 0);
/** The state is never trained. */
const NO_OPTIMISER = { beta1: 0, beta2: 0, epsilon: 0 } as const;

/**
 * Runs the file with a batch of one and of three images.
 *
 * @param threads of each of the two that compute
 * @throws ModelError when the difference is larger than {@link MOST_DIFFERENCE}, a logit is not finite, or the file says
 * that it is another model; CheckpointError when it cannot be opened; EngineError when it cannot be run.
 */
export async function checkOnnxFile(
  path: string,
  model: ExportModel,
  options: OnnxOptions & { readonly threads: number },
): Promise<Agreement> {
  const { spec } = model;
  const { threads, softmax } = options;
  const output = outputOf(options);
  const images = randomImages(spec);
  const logits = await ownLogits(model, images, threads);
  const scale = logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (!logits.every(Number.isFinite)) {
    throw new ModelError(`${path}: the model gives logits that are not finite; check its weights`);
  }
  const expected = softmax ? softmaxOf(logits, spec.classes) : logits;
  const file = await openOnnxFile(path, { threads });
  try {
    checkSaid(file, spec, output, path);
    const found = await outputsOf(file, spec, images, output);
    // Probabilities move at most as far as the logits do; those near 0 leave only the rounding of numbers up to 1.
    const difference = largestDifference(found, expected) / (softmax ? Math.max(scale, 1) : scale || 1);
    if (difference <= MOST_DIFFERENCE) return { difference, opset: file.opset };
    throw new ModelError(
      `${path}: its ${output} differ by ${difference.toExponential(1)} of the largest logit from those of the model, more ` +
        `than the ${MOST_DIFFERENCE} that rounding may explain; use --format timm or hf`,
    );
  } finally {
    await file.close();
  }
}

/** Standard normal pixels `[IMAGES, channels, height, width]`. */
function randomImages({ channels, image }: ModelSpec): Float32Array {
  const rng = createRng(0, 'onnx-check');
  return Float32Array.from({ length: IMAGES * channels * elementCount(image) }, () => rng.normal());
}

/** Logits of the engine, image by image: `[IMAGES, classes]`. */
async function ownLogits({ spec, values }: ExportModel, images: Float32Array, threads: number): Promise<Float32Array> {
  const rule = { trained: false, weightDecay: 0, learningRateScale: 1 };
  const entries = new Map(
    [...parameterShapes(spec)].map(([name, shape]) => [
      name,
      { spec: { shape, dtype: 'float32' as const }, values: values.get(name) as Float32Array, rule },
    ]),
  );
  const engine = createOrtEngine({ threads });
  try {
    const state = await engine.createState(entries, NO_OPTIMISER);
    const step = await engine.compileInference(imageProgram(spec), state, { frozen: false });
    const logits = new Float32Array(IMAGES * spec.classes);
    const size = images.length / IMAGES;
    for (let image = 0; image < IMAGES; image++) {
      const pixels = images.slice(image * size, (image + 1) * size);
      const outputs = await step.run(new Map([[PIXEL_VALUES, pixels]]));
      logits.set(outputs.get('logits') as Float32Array, image * spec.classes);
    }
    return logits;
  } finally {
    await engine.dispose();
  }
}

/** Logits of one image `[1, channels, height, width]`. */
function imageProgram(spec: ModelSpec): InferenceProgram {
  const { channels, patch } = spec;
  const { grid, patches, patchDim } = geometry(spec);
  return {
    inputs: new Map([[PIXEL_VALUES, { shape: [1, channels, ...spec.image], dtype: 'float32' }]]),
    run({ parameters, inputs }) {
      const cut = tf.reshape(inputs.get(PIXEL_VALUES) as Tensor, [channels, grid[0], patch, grid[1], patch]);
      const ordered = tf.reshape(tf.transpose(cut, [1, 3, 0, 2, 4]), [patches, 1, patchDim]);
      return new Map([['logits', forward(spec, parameters, ordered)]]);
    },
  };
}

/** @throws ModelError when the file does not have the operator set, input, output and metadata that were written. */
function checkSaid(
  { opset, inputs, outputs, metadata }: OnnxFile,
  spec: ModelSpec,
  output: string,
  path: string,
): void {
  const { input: expectedInput, output: expectedOutput } = onnxInterface(spec, output);
  const found = { opset, inputs, outputs, spec: onnxSpec(metadata) };
  const expected = { opset: ONNX_OPSET, inputs: [expectedInput], outputs: [expectedOutput], spec };
  if (canonicalJson(found) === canonicalJson(expected)) return;
  throw new ModelError(`${path}: read back, it does not say what was written; check the disk and export again`);
}

/** All outputs `[IMAGES, classes]`, of one run per batch. */
async function outputsOf(file: OnnxFile, spec: ModelSpec, images: Float32Array, name: string): Promise<Float32Array> {
  const all = new Float32Array(IMAGES * spec.classes);
  const size = images.length / IMAGES;
  let done = 0;
  for (const batch of BATCHES) {
    const shape = [batch, spec.channels, ...spec.image];
    const pixels = { shape, values: images.subarray(done * size, (done + batch) * size) };
    const outputs = await file.run(new Map([[PIXEL_VALUES, pixels]]));
    all.set((outputs.get(name) as OnnxTensor).values, done * spec.classes);
    done += batch;
  }
  return all;
}

/** Row by row, in double precision. */
function softmaxOf(logits: Float32Array, classes: number): Float32Array {
  const probabilities = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += classes) {
    const row = logits.subarray(start, start + classes);
    const most = row.reduce((a, b) => Math.max(a, b));
    const sum = row.reduce((total, value) => total + Math.exp(value - most), 0);
    row.forEach((value, i) => {
      probabilities[start + i] = Math.exp(value - most) / sum;
    });
  }
  return probabilities;
}

/** NaN when one of the two is. */
function largestDifference(found: Float32Array, expected: Float32Array): number {
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);
}
