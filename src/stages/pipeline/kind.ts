/**
 * What a pipeline knows about one kind of stage: its settings, what it reads, what it writes, and how to run it. The
 * list of kinds is kinds.ts.
 */
import { z } from 'zod';
import type { ArtifactKind } from '../../checkpoint/index.js';
import type { ModelSpec } from '../../model/spec.js';
import type { BankSpec } from '../../wave/index.js';
import type { StageContext } from '../context.js';
import type { StartInputs } from '../start-model.js';
import type { DataFile } from './data-files.js';
import type { Source } from './tasks.js';

/** A model size that stages are repeated for. */
export interface Target {
  readonly name: string;
  readonly depth: number;
  readonly width: number;
  readonly heads?: number | undefined;
}

/**
 * What a task will make, as far as settings tell: so that a target that a bank cannot make is refused before hours of
 * training, not after. Models are right in depth, width, heads and hidden.
 */
export interface Foreseen {
  readonly model?: ModelSpec;
  readonly bank?: BankSpec;
  /** Path of an input that is a file. */
  readonly file?: string;
}

/** What is known about a task before anything is run. */
export interface TaskFacts {
  readonly target: Target | undefined;
  /** What is known about each input, by role; of files nothing but their names. */
  readonly inputs: ReadonlyMap<string, Foreseen>;
}

/** One run of a stage. */
export interface Job<Config = unknown> {
  /** The checked settings, those of the target included. */
  readonly config: Config;
  readonly target: Target | undefined;
  /** Paths by role. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Folder of this run. */
  readonly dir: string;
  /** Go on from the saved state in the folder; otherwise what is there is replaced. */
  readonly resume: boolean;
}

/** What the summary shows of a run; whatever was not measured is left out. */
export interface Measures {
  /** Top-1 accuracy on the test split, 0..1. */
  readonly accuracy?: number;
  /** The same before the first step, 0..1. */
  readonly startAccuracy?: number;
  /** Training steps. */
  readonly steps?: number;
  /** Numbers that are stored: parameters of a model, or of a template bank. */
  readonly parameters?: number;
  /** Numbers stored over the parameters of the ancestor, 0..1. */
  readonly ofAncestor?: number;
}

/** A kind of stage; `Config` is what its schema gives. */
export interface KindDefinition<Schema extends z.ZodObject, Config = z.output<Schema>> {
  /** Strict at every level. Blocks that the pipeline has at its top are merged below the stage's own. */
  readonly schema: Schema;
  /** Kind of artifact by role; each role is a key of the stage. */
  readonly roles: Readonly<Record<string, ArtifactKind>>;
  /** Roles that a classifier in an ONNX file can have as well. */
  readonly onnx?: readonly string[];
  /** Sets of roles, one of which must be given whole; roles in none of them are optional. */
  readonly ways: readonly (readonly string[])[];
  /** Inputs that the kind reads although the stage does not name them, by role; they count as if it did. */
  readonly implied?: (config: Config, inputs: ReadonlyMap<string, Source>) => ReadonlyMap<string, Source>;
  /**
   * `always`: once per target. `optional`: once, or once per target with `each:`. Both can be limited to some targets by
   * `each:`. In any case, a stage whose input is made per target is run per target.
   */
  readonly perTarget: 'always' | 'optional' | 'inputs';
  /**
   * Puts the sizes of the target into the settings, and checks what the schema cannot.
   *
   * @throws ConfigError, ModelError, EngineError
   */
  readonly prepare: (config: Config, facts: TaskFacts) => Config | Promise<Config>;
  /**
   * @param config as `prepare` gives it
   * @throws ConfigError, ModelError
   */
  readonly foresee?: (config: Config, facts: TaskFacts) => Foreseen;
  /** File name in the folder of the run, by kind of artifact. */
  readonly outputs: (config: Config) => Readonly<Partial<Record<ArtifactKind, string>>>;
  /** Data files that the stage reads; their content, or what stands for it, decides whether it is up to date. */
  readonly dataFiles: (config: Config) => readonly DataFile[];
  /** @returns what the stage's library function returns; must survive JSON. */
  readonly run: (job: Job<Config>, context: StageContext) => Promise<object>;
  readonly measure: (results: Readonly<Record<string, unknown>>) => Measures;
}

/** A kind of stage whose settings are handed around without being looked at. */
export type StageKind = KindDefinition<z.ZodObject, unknown>;

/** Forgets the type of the settings: they come back only as the schema has made them. */
export function defineKind<Schema extends z.ZodObject>(definition: KindDefinition<Schema>): StageKind {
  const own = (config: unknown) => config as z.output<Schema>;
  return {
    ...definition,
    prepare: (config, facts) => definition.prepare(own(config), facts),
    foresee: (config, facts) => definition.foresee?.(own(config), facts) ?? {},
    implied: (config, inputs) => definition.implied?.(own(config), inputs) ?? new Map(),
    outputs: (config) => definition.outputs(own(config)),
    dataFiles: (config) => definition.dataFiles(own(config)),
    run: (job, context) => definition.run({ ...job, config: own(job.config) }, context),
  };
}

/** A setting of kinds that read an ancestor. */
export const ancestorHeads = z
  .int()
  .min(1)
  .nullable()
  .default(null)
  .describe('attention heads of the ancestor, for a checkpoint that does not say');

/** The model of a stage with the roles `model`, or `templates` and `scalers`. */
export function startInputs({ model, templates, scalers }: Job['inputs']): StartInputs {
  return model === undefined ? { templates: templates as string, scalers: scalers as string } : { model };
}

/** The number under a key of a stage's results, if there is one. */
export function numberIn(results: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = results[key];
  return typeof value === 'number' ? value : undefined;
}
