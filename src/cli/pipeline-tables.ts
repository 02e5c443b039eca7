/** The tables of `wave run`: the plan of a dry run, and the summary at the end. */
import { dirname, relative } from 'node:path';
import type { PipelineReport, TargetReport, TaskReport } from '../stages/pipeline/index.js';
import { duration, share } from './progress-text.js';
import { type Column, renderTable } from './table.js';

/** What would be done with each stage. */
export function renderPlan(out: string, stages: readonly TaskReport[]): string {
  const columns: Column[] = [
    { name: 'stage' },
    { name: 'target' },
    { name: 'kind' },
    { name: 'inputs' },
    { name: 'plan' },
    { name: 'why' },
  ];
  const rows = stages.map(({ stage, target, kind, inputs, status, reason }) => {
    const read = Object.entries(inputs).map(([role, path]) => {
      const place = relative(out, path);
      return `${role} ${place.startsWith('..') ? path : dirname(place)}`;
    });
    return [stage, target ?? '', kind, read.join(', '), status, reason ?? ''];
  });
  return renderTable(columns, rows);
}

/** The stages that are run once, then a row per target. */
export function renderReport({ out, stages, targets }: PipelineReport): string {
  const once = stages.filter(({ target }) => target === null);
  const parts = [
    ...(once.length > 0 ? [renderStages(once)] : []),
    ...(targets.length > 0 && stages.length > once.length ? [renderTargets(stages, targets)] : []),
    `results in ${out}\n`,
  ];
  return parts.join('\n');
}

interface Cell<Row> {
  readonly name: string;
  readonly align?: 'right';
  /** Undefined where there is nothing to show. */
  readonly of: (row: Row) => string | undefined;
}

function renderStages(rows: readonly TaskReport[]): string {
  const right = 'right';
  return renderCells<TaskReport>(rows, [
    { name: 'stage', of: ({ stage }) => stage },
    { name: 'parameters', align: right, of: ({ measures }) => measures.parameters?.toString() },
    { name: 'of ancestor', align: right, of: ({ measures }) => mapped(measures.ofAncestor, share) },
    { name: 'top-1', align: right, of: ({ measures }) => mapped(measures.accuracy, share) },
    { name: 'steps', align: right, of: ({ measures }) => measures.steps?.toString() },
    { name: 'time', align: right, of: ({ seconds }) => mapped(seconds ?? undefined, duration) },
    { name: 'status', of: ({ status }) => status },
  ]);
}

/** Accuracies under the names of the stages, after those before their first step, then the steps of those that train. */
function renderTargets(stages: readonly TaskReport[], targets: readonly TargetReport[]): string {
  const names = [...new Set(stages.filter(({ target }) => target !== null).map(({ stage }) => stage))];
  return renderCells<TargetReport>(targets, [
    { name: 'target', of: ({ name }) => name },
    { name: 'depth', align: 'right', of: ({ depth }) => String(depth) },
    { name: 'width', align: 'right', of: ({ width }) => String(width) },
    { name: 'parameters', align: 'right', of: ({ parameters }) => parameters?.toString() },
    ...names.flatMap((name): Cell<TargetReport>[] => [
      { name: `${name} start`, align: 'right', of: ({ startAccuracy }) => mapped(startAccuracy[name], share) },
      { name, align: 'right', of: ({ accuracy }) => mapped(accuracy[name], share) },
    ]),
    ...names.map((name): Cell<TargetReport> => {
      return { name: `${name} steps`, align: 'right', of: ({ steps }) => steps[name]?.toString() };
    }),
  ]);
}

/** Leaves out the columns that no row has anything for. */
function renderCells<Row>(rows: readonly Row[], cells: readonly Cell<Row>[]): string {
  const shown = cells.filter(({ of }) => rows.some((row) => of(row) !== undefined));
  return renderTable(
    shown,
    rows.map((row) => shown.map(({ of }) => of(row) ?? '')),
  );
}

function mapped(value: number | undefined, text: (value: number) => string): string | undefined {
  return value === undefined ? undefined : text(value);
}
