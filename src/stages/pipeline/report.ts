/** What a pipeline has done and measured, as data. */

import type { ArtifactKind } from '../../checkpoint/index.js';
import type { Measures, Target } from './kind.js';
import type { Step, TaskStatus } from './plan.js';
import { outputPath, type Pipeline } from './tasks.js';

/** One task. */
export interface TaskReport {
  readonly stage: string;
  readonly kind: string;
  /** Name of the target; null for a stage that is run once. */
  readonly target: string | null;
  readonly dir: string;
  readonly status: TaskStatus;
  /** Why it is run, or why what a left-out stage has made no longer fits. */
  readonly reason: string | null;
  /** Paths by role. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Paths by kind of artifact. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Of the run that has made what is there; null when that is out of date, or nothing. */
  readonly seconds: number | null;
  readonly results: Readonly<Record<string, unknown>> | null;
  readonly measures: Measures;
}

export function taskReport({ task, status, reason, inputs, record }: Step): TaskReport {
  const { stage, target, config, dir } = task;
  const kinds = Object.keys(stage.kind.outputs(config)) as ArtifactKind[];
  return {
    stage: stage.name,
    kind: stage.kindName,
    target: target?.name ?? null,
    dir,
    status,
    reason: reason ?? null,
    inputs,
    outputs: Object.fromEntries(kinds.map((kind) => [kind, outputPath(task, kind)])),
    seconds: record?.seconds ?? null,
    results: record?.results ?? null,
    measures: record === undefined ? {} : stage.kind.measure(record.results),
  };
}

/** All stages of one target. */
export interface TargetReport extends Target {
  /** Of its model, as soon as a stage has counted them. */
  readonly parameters: number | null;
  /** Top-1 accuracy on the test split by stage, 0..1. */
  readonly accuracy: Readonly<Record<string, number>>;
  /** The same before the first training step of the stage. */
  readonly startAccuracy: Readonly<Record<string, number>>;
  /** Training steps by stage. */
  readonly steps: Readonly<Record<string, number>>;
}

export interface PipelineReport {
  readonly out: string;
  /** In the order in which they are run. */
  readonly stages: readonly TaskReport[];
  readonly targets: readonly TargetReport[];
}

export function report(pipeline: Pipeline, stages: readonly TaskReport[]): PipelineReport {
  const targets = pipeline.targets.map((target): TargetReport => {
    const own = stages.filter((task) => task.target === target.name);
    const measured = (key: 'accuracy' | 'startAccuracy' | 'steps') =>
      Object.fromEntries(
        own.flatMap(({ stage, measures }) => (measures[key] === undefined ? [] : [[stage, measures[key]]])),
      );
    const parameters = own.map(({ measures }) => measures.parameters).find((count) => count !== undefined);
    return {
      ...target,
      parameters: parameters ?? null,
      accuracy: measured('accuracy'),
      startAccuracy: measured('startAccuracy'),
      steps: measured('steps'),
    };
  });
  return { out: pipeline.out, stages, targets };
}
