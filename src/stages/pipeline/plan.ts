/** Goes through the tasks of a pipeline in order and says what is to be done with each. Writes nothing. */
import { existsSync } from 'node:fs';
import { ConfigError } from '../../base/errors.js';
import { toolVersion } from '../../base/version.js';
import type { ArtifactKind } from '../../checkpoint/index.js';
import { onnxModelAt } from '../../checkpoint/onnx-path.js';
import { closest } from '../../config/index.js';
import { Hashes } from './hashes.js';
import { holdsOthers, intactRecord, judge } from './judge.js';
import type { Fingerprint, StageRecord } from './record.js';
import { makerOf, outputPath, type Pipeline, type Task, taskName } from './tasks.js';

/** Which stages are run. */
export interface Selection {
  /** This stage and all after it are run, even those that are up to date. */
  readonly from?: string | undefined;
  /** The others are left as they are. */
  readonly only?: readonly string[] | undefined;
  /** All are run, even those that are up to date. */
  readonly force?: boolean;
}

export type TaskStatus = 'run' | 'up to date' | 'left out';

/** What is to be done with a task. */
export interface Step {
  readonly task: Task;
  readonly status: TaskStatus;
  /** Why it is run, or why what a left-out stage has made no longer fits. */
  readonly reason: string | undefined;
  /** Paths by role. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly fingerprint: Fingerprint;
  /** Of a task that is up to date. */
  readonly record: StageRecord | undefined;
}

/** Stands for the hash of an input that is still to be made. */
const TO_BE_MADE = 'to be made';

/** @throws ConfigError when the selection names stages that are not there, or asks for two things at once. */
function checkSelection({ stages }: Pipeline, { from, only }: Selection): void {
  if (from !== undefined && only !== undefined) {
    throw new ConfigError('--from runs a stage and all after it, --only nothing else; give one of them');
  }
  const names = stages.map(({ name }) => name);
  const check = (flag: string, name: string) => {
    if (names.includes(name)) return;
    const near = closest(name, names);
    const hint = near === undefined ? `expected one of ${names.join(', ')}` : `did you mean ${near}?`;
    throw new ConfigError(`${flag}: no stage is called ${JSON.stringify(name)}; ${hint}`);
  };
  if (from !== undefined) check('--from', from);
  for (const name of only ?? []) check('--only', name);
}

export class Planner {
  readonly hashes: Hashes;
  readonly #pipeline: Pipeline;
  readonly #selection: Selection;
  /** Hashes of what tasks have made, by kind; `TO_BE_MADE` for a task that is to be run. */
  readonly #made = new Map<Task, Readonly<Record<string, string>> | typeof TO_BE_MADE>();

  constructor(pipeline: Pipeline, selection: Selection, hashes = new Hashes()) {
    checkSelection(pipeline, selection);
    this.hashes = hashes;
    this.#pipeline = pipeline;
    this.#selection = selection;
  }

  /**
   * The tasks above must have been planned, and `made` be called for those that have been run since.
   *
   * @throws DataError, CheckpointError when data or an input file cannot be read; ConfigError when an input is made by a
   * stage that is left out and has not been run, or when the folder holds the results of something else.
   */
  async plan(task: Task): Promise<Step> {
    const { stage, config, target, dir } = task;
    const { kind } = stage;
    const left = this.#isLeftOut(task);
    const { paths, sha256 } = await this.#inputs(task, left);
    const sizes = target === undefined ? null : { depth: target.depth, width: target.width, heads: target.heads };
    const fingerprint: Fingerprint = {
      tool: toolVersion(),
      kind: stage.kindName,
      config,
      target: sizes,
      inputs: sha256,
      data: await this.hashes.ofAll([...new Set(kind.dataFiles(config))]),
    };
    const verdict = await judge(dir, fingerprint, this.hashes);
    const step = { task, inputs: paths, fingerprint };
    if (left) {
      const record = await intactRecord(dir, this.hashes);
      if (record !== undefined) this.made(task, record);
      if (verdict.upToDate) return { ...step, status: 'left out', reason: undefined, record: verdict.record };
      return { ...step, status: 'left out', reason: verdict.reason, record: undefined };
    }
    const asked = this.#asked(task);
    if (verdict.upToDate && asked === undefined) {
      this.made(task, verdict.record);
      return { ...step, status: 'up to date', reason: undefined, record: verdict.record };
    }
    await this.#checkFolder(task);
    this.#made.set(task, TO_BE_MADE);
    const reason = verdict.upToDate ? asked : verdict.reason;
    return { ...step, status: 'run', reason, record: undefined };
  }

  /** Notes what a task has made. */
  made(task: Task, { outputs }: Pick<StageRecord, 'outputs'>): void {
    const names = Object.entries(task.stage.kind.outputs(task.config));
    this.#made.set(task, Object.fromEntries(names.map(([kind, name]) => [kind, outputs[name] ?? ''])));
  }

  #isLeftOut({ stage }: Task): boolean {
    const { only } = this.#selection;
    return only !== undefined && !only.includes(stage.name);
  }

  /** Why a task is run although it may be up to date. */
  #asked({ stage }: Task): string | undefined {
    const { force = false, from } = this.#selection;
    if (force) return '--force';
    const { stages } = this.#pipeline;
    const first = stages.findIndex(({ name }) => name === from);
    return from !== undefined && stages.indexOf(stage) >= first ? `--from ${from}` : undefined;
  }

  async #inputs(task: Task, left: boolean) {
    const paths: Record<string, string> = {};
    const sha256: Record<string, string> = {};
    for (const [role, source] of task.stage.inputs) {
      const kind = task.stage.kind.roles[role] as ArtifactKind;
      if (source.type === 'file') {
        if (source.missing !== undefined && !existsSync(source.path)) {
          if (source.missing === null) continue;
          throw new ConfigError(`stages.${task.stage.name}: ${source.missing}`);
        }
        paths[role] = source.path;
        const onnx = (task.stage.kind.onnx ?? []).includes(role) ? onnxModelAt(source.path) : undefined;
        sha256[role] = await (onnx === undefined
          ? this.hashes.ofCheckpoint(source.path, kind)
          : this.hashes.ofOnnx(onnx));
        continue;
      }
      const maker = makerOf(this.#pipeline.tasks, source.stage, task.target);
      const made = this.#made.get(maker);
      paths[role] = outputPath(maker, kind);
      sha256[role] = made === undefined || made === TO_BE_MADE ? TO_BE_MADE : (made[kind] ?? '');
      if (made === undefined && !left) throw missingInput(task, role, paths[role], maker);
    }
    return { paths, sha256 };
  }

  async #checkFolder({ stage, config, dir }: Task): Promise<void> {
    if (this.#selection.force) return;
    const found = await holdsOthers(dir, Object.values(stage.kind.outputs(config)));
    if (found === undefined) return;
    throw new ConfigError(
      `${dir}: holds ${found}, which no pipeline has written; choose another --out, or replace it with --force`,
    );
  }
}

function missingInput(task: Task, role: string, path: string, maker: Task): ConfigError {
  return new ConfigError(
    `stages.${task.stage.name}.${role}: --only leaves out ${taskName(maker)}, and ${path} is not there or not finished; ` +
      `run ${maker.stage.name} first`,
  );
}
