/** What a format of another library is to the stage that exports: what it can hold, which files it has, how they are written. */
import type { ModelSpec } from '../spec.js';

/** A model with its weights, values by timm name. */
export interface ExportModel {
  readonly spec: ModelSpec;
  readonly values: ReadonlyMap<string, Float32Array>;
}

/** Choices of single formats. */
export interface ExportOptions {
  /** `onnx`: the graph ends in probabilities instead of logits. */
  readonly softmax?: boolean;
}

/** What an export would write. */
export interface ExportPlan {
  /** Names in the folder, in the order in which they are written: what makes the folder a model comes last. */
  readonly files: readonly string[];
  /**
   * Names that must not lie beside them: a reader of the folder would take them for a part of the model. They are removed
   * where files may be replaced.
   */
  readonly clashes: readonly string[];
  /** The model as the files say it: sizes, epsilon and preprocessing that the format can hold. */
  readonly spec: ModelSpec;
  /** What of the model the format cannot hold though its logits on the same pixels stay as they are, one line each. */
  readonly warnings: readonly string[];
}

/** How well what a runtime makes of the files agrees with the model, for a format that is a program. */
export interface Agreement {
  /** Largest difference of an output, relative to the largest logit. */
  readonly difference: number;
  /** Version of the operators that the program is written in. */
  readonly opset: number;
}

/** A format of another library. */
export interface ExportFormat {
  /**
   * @param source what to call the model in errors
   * @throws ModelError, one line, when the format cannot express the model.
   */
  plan(spec: ModelSpec, source: string, options: ExportOptions): ExportPlan;
  /**
   * Writes the files of the plan into a folder that is there, each of them atomically, in the plan's order.
   *
   * @throws CheckpointError, WriteError when one cannot be written.
   */
  write(dir: string, model: ExportModel, plan: ExportPlan, options: ExportOptions): Promise<void>;
  /**
   * Opens what was written as a stranger's file, and compares.
   *
   * @returns how well it agrees; undefined for a format whose values were compared to the bit
   * @throws ModelError when it is not the model that was to be written.
   */
  verify(dir: string, model: ExportModel, plan: ExportPlan, options: ExportOptions): Promise<Agreement | undefined>;
}

/** A format by name. */
export interface FormatEntry {
  /** As `--format` takes it. */
  readonly name: string;
  readonly summary: string;
  /** Takes `ExportOptions.softmax`. */
  readonly softmax?: true;
  readonly load: () => Promise<ExportFormat>;
}
