/** Runs a pipeline: what is up to date is skipped, what was cut off is gone on with, what is done is recorded. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InterruptedError, ResumeError, WaveError } from '../../base/errors.js';
import { explainIoError } from '../../base/io-error.js';
import { makeFolder } from '../../base/make-folder.js';
import type { StageContext } from '../context.js';
import type { Telling } from '../device.js';
import { runFolder } from '../run-folder.js';
import { withDevices } from './devices.js';
import { Hashes } from './hashes.js';
import { resumable } from './judge.js';
import { Planner, type Selection, type Step } from './plan.js';
import { RECORD_FILES, type StageRecord, writeMarker, writeRecord } from './record.js';
import { type PipelineReport, report, type TaskReport, taskReport } from './report.js';
import { type Pipeline, sourceStage, taskName } from './tasks.js';

/**
 * What {@link runPipeline} would do. Writes nothing.
 *
 * @param telling hears which device was chosen where settings say `auto`
 * @throws ConfigError, DataError, CheckpointError
 */
export async function planPipeline(
  asked: Pipeline,
  selection: Selection = {},
  telling: Telling = { emit: () => {} },
): Promise<TaskReport[]> {
  const pipeline = await withDevices(asked, telling);
  const steps = await planAll(pipeline, new Planner(pipeline, selection));
  return steps.map(taskReport);
}

async function planAll({ tasks }: Pipeline, planner: Planner): Promise<Step[]> {
  const steps: Step[] = [];
  for (const task of tasks) steps.push(await planner.plan(task));
  return steps;
}

/**
 * Runs the stages in order, each once or once per target. Everything is checked before the first one starts. A stage that
 * fails ends the run; those before it are done and are skipped the next time.
 *
 * @throws what the stages throw, with the stage named in front; InterruptedError when `context.signal` was aborted.
 */
export async function runPipeline(
  asked: Pipeline,
  context: StageContext,
  selection: Selection = {},
): Promise<PipelineReport> {
  const pipeline = await withDevices(asked, context);
  const hashes = new Hashes();
  const preview = new Planner(pipeline, selection, hashes);
  context.emit({ type: 'phase', text: 'checking what is up to date' });
  warnOfStale(await planAll(pipeline, preview), context);
  const planner = new Planner(pipeline, selection, hashes);
  const reports: TaskReport[] = [];
  const { tasks } = pipeline;
  for (const [index, task] of tasks.entries()) {
    const step = await planner.plan(task);
    const place = `[${index + 1}/${tasks.length}] ${taskName(task)}`;
    if (step.status !== 'run') {
      if (step.status === 'up to date') context.emit({ type: 'note', text: `${place}: up to date` });
      reports.push(taskReport(step));
      continue;
    }
    if (context.signal.aborted) throw stopped(place, selection);
    context.emit({ type: 'note', text: `${place}: ${step.reason}` });
    const record = await runStep(step, planner, context, selection, place);
    planner.made(task, record);
    reports.push(taskReport({ ...step, record }));
  }
  return report(pipeline, reports);
}

/** Stages that are left out may have been run with other settings than they have now. */
function warnOfStale(steps: readonly Step[], { emit }: StageContext): void {
  const read = new Set(
    steps.flatMap(({ task, status }) => (status === 'run' ? [...task.stage.inputs.values()] : [])).map(sourceStage),
  );
  for (const { task, status, reason } of steps) {
    if (status !== 'left out' || reason === undefined || !read.has(task.stage)) continue;
    emit({ type: 'warning', text: `${taskName(task)} is out of date (${reason}) and is used as it is` });
  }
}

async function runStep(
  step: Step,
  planner: Planner,
  context: StageContext,
  selection: Selection,
  place: string,
): Promise<StageRecord> {
  try {
    const record = await finish(step, planner, context, selection);
    await writeRecord(step.task.dir, record);
    return record;
  } catch (error) {
    if (error instanceof InterruptedError) throw stopped(place, selection);
    if (error instanceof WaveError) {
      const prefix = `${taskName(step.task)}: `;
      error.message = error.message
        .split('\n')
        .map((line) => prefix + line)
        .join('\n');
    }
    throw error;
  }
}

/** Runs the stage to its end, from its saved state where there is one that fits. */
async function finish(
  step: Step,
  { hashes }: Planner,
  context: StageContext,
  { force = false }: Selection,
): Promise<StageRecord> {
  const { task, inputs, fingerprint } = step;
  const { stage, config, target, dir } = task;
  const outputs = Object.values(stage.kind.outputs(config));
  await prepareFolder(dir, [...RECORD_FILES, ...outputs]);
  const start = performance.now();
  const attempt = (resume: boolean) => stage.kind.run({ config, target, inputs, dir, resume }, context);
  const anew = async () => {
    const stateBefore = (await hashes.ifThere(runFolder(dir).state)) ?? null;
    await writeMarker(dir, { fingerprint, stateBefore });
    return attempt(false);
  };
  let results: object;
  if (!force && (await resumable(dir, fingerprint, hashes)) !== undefined) {
    try {
      results = await attempt(true);
    } catch (error) {
      // Whatever else failed (a full disk, say): the state is good, and the next run goes on from it.
      if (!(error instanceof ResumeError)) throw error;
      context.emit({ type: 'note', text: `cannot go on, so it starts anew: ${error.message}` });
      results = await anew();
    }
  } else {
    results = await anew();
  }
  const sha256: Record<string, string> = {};
  for (const name of outputs) sha256[name] = await hashes.of(join(dir, name));
  const seconds = Math.round(performance.now() - start) / 1000;
  const stored: Record<string, unknown> = JSON.parse(JSON.stringify(results));
  return { fingerprint, outputs: sha256, results: stored, seconds };
}

/** Makes the folder, and removes temporary files that a killed run has left in it. */
async function prepareFolder(dir: string, names: readonly string[]): Promise<void> {
  try {
    await makeFolder(dir);
    const isLeftover = (file: string) => file.endsWith('.tmp') && names.some((name) => file.startsWith(`.${name}.`));
    for (const name of (await readdir(dir)).filter(isLeftover)) await rm(join(dir, name));
  } catch (error) {
    throw new WaveError(`${dir}: cannot be used as output folder: ${explainIoError(error)}`, 1, { cause: error });
  }
}

function stopped(place: string, { from, force = false }: Selection): InterruptedError {
  const flag = force ? ' without --force' : from === undefined ? '' : ' without --from';
  return new InterruptedError(`stopped at ${place}; what is done is kept, and the same call${flag} goes on`);
}
