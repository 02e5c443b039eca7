/** A classifier in an ONNX file, asked about batches of the loader as a compiled model of this suite is. */
import { availableParallelism } from 'node:os';
import { ConfigError, EngineError } from '../base/errors.js';
import { sha256File } from '../base/sha256.js';
import { quote } from '../base/text.js';
import type { EngineConfig } from '../config/engine-schema.js';
import type { DataConfig } from '../config/index.js';
import type { Dataset } from '../data/index.js';
import { type OnnxFile, openOnnxFile } from '../engine/onnx-file.js';
import type { InferenceStep } from '../engine/types.js';
import { LOGITS, PATCHES } from '../train/index.js';
import { type OnnxConfig, type OnnxData, type OnnxPlan, planClassifier } from './onnx-config.js';
import { preparePixels } from './onnx-pixels.js';

/** Smallest probability that is told apart from 0 when logits are made of probabilities. */
const LEAST_PROBABILITY = 1e-12;
/** How far from 1 the sum of probabilities may be: those of half precision are less exact than this suite's. */
const SUM_TOLERANCE = 1e-2;

export interface OnnxSettings {
  readonly onnx: OnnxConfig;
  readonly engine: Pick<EngineConfig, 'threads'>;
}

/** What a data set and the settings that it was opened with say about its images. */
export function onnxData(
  { mean, std }: Pick<DataConfig, 'mean' | 'std'>,
  { source, channels, image }: Dataset,
): OnnxData {
  return { channels, classes: source.classes, image, mean, std };
}

export class OnnxClassifier {
  readonly path: string;
  /** Of the file itself. */
  readonly sha256: string;
  readonly plan: OnnxPlan;
  /** Numbers in the stored tensors of the file; undefined where there are none. */
  readonly parameters: number | undefined;
  readonly #file: OnnxFile;
  readonly #data: OnnxData;
  #checked = false;

  private constructor(path: string, sha256: string, file: OnnxFile, plan: OnnxPlan, data: OnnxData) {
    [this.path, this.sha256, this.plan] = [path, sha256, plan];
    this.parameters = file.parameters > 0 ? file.parameters : undefined;
    [this.#file, this.#data] = [file, data];
  }

  /**
   * @throws CheckpointError when the file cannot be read or run; ConfigError when it does not fit settings and data.
   */
  static async open(path: string, { onnx, engine }: OnnxSettings, data: OnnxData): Promise<OnnxClassifier> {
    const file = await openOnnxFile(path, { threads: engine.threads ?? availableParallelism() });
    try {
      return new OnnxClassifier(path, await sha256File(path), file, planClassifier(path, file, onnx, data), data);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * The classifier as a compiled step: `PATCHES [patches, batch, patch_dim]` in, `LOGITS [batch, classes]` out, for any
   * batch. Probabilities become logits by their logarithm.
   *
   * @param patch side of the patches that the loader makes, pixels
   */
  stepFor(patch: number): InferenceStep {
    return {
      run: async (inputs) => new Map([[LOGITS, await this.#ask(inputs.get(PATCHES) as Float32Array, patch)]]),
      dispose: () => Promise.resolve(),
    };
  }

  /** Ends the thread that runs it. May be called again. */
  close(): Promise<void> {
    return this.#file.close();
  }

  /** @throws ConfigError when the output is not what it was said to be; EngineError when the model cannot be run. */
  async #ask(patches: Float32Array, patch: number): Promise<Float32Array> {
    const { channels, classes, image } = this.#data;
    const [height, width] = image;
    const batch = patches.length / (channels * height * width);
    const pixels = preparePixels(patches, { batch, channels, height, width, patch }, this.#data, this.plan);
    const numbers = new Float32Array(batch * classes);
    const most = this.plan.batch ?? batch;
    const perImage = pixels.length / batch;
    for (let first = 0; first < batch; first += most) {
      const part = pixels.subarray(first * perImage, (first + most) * perImage);
      const answer = await this.#run(part, most, perImage);
      numbers.set(answer.subarray(0, Math.min(most, batch - first) * classes), first * classes);
    }
    if (!this.#checked) this.#check(numbers);
    this.#checked = true;
    return this.plan.gives === 'probabilities' ? numbers.map(logOf) : numbers;
  }

  /** One run; images that are missing from a fixed batch are zeros. */
  async #run(pixels: Float32Array, batch: number, perImage: number): Promise<Float32Array> {
    const { input, output, layout, channels, image } = this.plan;
    let values = pixels;
    if (pixels.length < batch * perImage) {
      values = new Float32Array(batch * perImage);
      values.set(pixels);
    }
    const shape = layout === 'nchw' ? [batch, channels, ...image] : [batch, ...image, channels];
    const outputs = await this.#file.run(new Map([[input, { shape, values }]]), [output]).catch((error: unknown) => {
      if (!(error instanceof EngineError)) throw error;
      const reason = error.message.replace(/^engine ort: /, '');
      throw new EngineError(`${this.path}: cannot be run on images [${shape.join(', ')}]: ${reason}`, 1, {
        cause: error,
      });
    });
    const answer = outputs.get(output)?.values ?? new Float32Array(0);
    const { classes } = this.#data;
    if (answer.length === batch * classes) return answer;
    throw new ConfigError(
      `${this.path} and data: the model gives ${answer.length / batch} numbers for an image, the data has ${classes} ` +
        'classes; change one of them, or name another output (onnx.output)',
    );
  }

  #check(numbers: Float32Array): void {
    const { classes } = this.#data;
    const { gives, output } = this.plan;
    const arePossible = looksLikeProbabilities(numbers, classes);
    if (gives === 'logits' && arePossible) {
      throw new ConfigError(
        `onnx.gives: logits, but all rows of output ${quote(output)} of ${this.path} lie in 0 to 1 and sum to 1; set probabilities`,
      );
    }
    if (gives === 'probabilities' && !arePossible) {
      throw new ConfigError(
        `onnx.gives: probabilities, but rows of output ${quote(output)} of ${this.path} leave 0 to 1 or do not sum to 1; set logits`,
      );
    }
  }
}

function logOf(probability: number): number {
  return Math.log(Math.max(probability, LEAST_PROBABILITY));
}

/** @param numbers `[rows, classes]` */
function looksLikeProbabilities(numbers: Float32Array, classes: number): boolean {
  for (let start = 0; start < numbers.length; start += classes) {
    const row = numbers.subarray(start, start + classes);
    const inRange = row.every((value) => value >= 0 && value <= 1 + SUM_TOLERANCE);
    if (!inRange || Math.abs(row.reduce((sum, value) => sum + value, 0) - 1) > SUM_TOLERANCE) return false;
  }
  return true;
}
