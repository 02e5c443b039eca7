/** A pipeline that has been checked: what is to be run, in order, and where everything goes. */
import { join } from 'node:path';
import type { ArtifactKind } from '../../checkpoint/index.js';
import type { Foreseen, StageKind, Target } from './kind.js';

/** Where an input comes from. */
export type Source =
  | {
      readonly type: 'file';
      readonly path: string;
      /** Of a file that nobody has named: what is told when it is not there; null = it is then left out. */
      readonly missing?: string | null;
    }
  /** An output of an earlier stage, that of the same target where the stage has one per target. */
  | { readonly type: 'stage'; readonly stage: Stage };

/** The stage behind an input; undefined for a file. */
export function sourceStage(source: Source): Stage | undefined {
  return source.type === 'stage' ? source.stage : undefined;
}

/** One entry of `stages:`. */
export interface Stage {
  readonly name: string;
  readonly kindName: string;
  readonly kind: StageKind;
  /** Checked, without the sizes of a target. */
  readonly config: unknown;
  /** By role. */
  readonly inputs: ReadonlyMap<string, Source>;
  /** The targets it is run for, one by one; undefined for a stage that is run once. */
  readonly targets: readonly Target[] | undefined;
}

/** One run of a stage. */
export interface Task {
  readonly stage: Stage;
  readonly target: Target | undefined;
  /** As {@link Stage.config}, with the sizes of the target. */
  readonly config: unknown;
  readonly foreseen: Foreseen;
  readonly dir: string;
}

export interface Pipeline {
  /** As given, for messages. */
  readonly file: string;
  readonly out: string;
  readonly targets: readonly Target[];
  readonly stages: readonly Stage[];
  readonly tasks: readonly Task[];
}

/** Folder of a task. */
export function taskDir(out: string, stage: string, target: Target | undefined): string {
  return target === undefined ? join(out, stage) : join(out, stage, target.name);
}

/** `fit 64x3`, or `ancestor` for a stage that is run once. */
export function taskName({ stage, target }: Pick<Task, 'stage' | 'target'>): string {
  return target === undefined ? stage.name : `${stage.name} ${target.name}`;
}

/** Path of an output. */
export function outputPath(task: Task, kind: ArtifactKind): string {
  const name = task.stage.kind.outputs(task.config)[kind];
  if (name === undefined) throw new Error(`internal: ${taskName(task)} writes no ${kind}`);
  return join(task.dir, name);
}

/** Whether what a task makes is for a target: it is, or it is for all. */
export function isFor(task: Task, target: Target | undefined): boolean {
  return task.target === undefined || task.target === target;
}

/** The task that makes an input of another one: that of the same target, or the only one. */
export function makerOf(tasks: readonly Task[], stage: Stage, target: Target | undefined): Task {
  const found = tasks.find((task) => task.stage === stage && isFor(task, target));
  if (found === undefined) throw new Error(`internal: no task of ${stage.name} for ${target?.name ?? 'all targets'}`);
  return found;
}
