/** The training loop: batches in, steps out, from any step on. */
import { TrainingError } from '../base/errors.js';
import type { Batch, Loader } from '../data/index.js';
import type { TensorValues } from '../engine/tensor-spec.js';
import type { StepResult, TrainingStep } from '../engine/types.js';
import { learningRate, type Schedule } from './schedule.js';

/** One of the compiled steps of a run, and what it is fed. */
export interface PlannedStep {
  readonly step: TrainingStep;
  /** What is fed for a batch in step `step`; it may have to be computed first. */
  readonly inputs: (
    batch: Batch,
    step: number,
  ) => ReadonlyMap<string, TensorValues> | Promise<ReadonlyMap<string, TensorValues>>;
  /** Which of several steps it is, for example the size that is trained in it: "64x4". */
  readonly label?: string;
}

export interface LoopOptions {
  /** What is done in step `step`, from 0. */
  readonly stepFor: (step: number) => PlannedStep;
  readonly loader: Loader;
  readonly schedule: Schedule;
  readonly clipNorm: number | undefined;
  /** First step to do, from 0: 0 for a new run, the number of steps done for a resumed one. */
  readonly startStep: number;
  readonly signal: AbortSignal;
  /** After each step. `step` counts steps done, from 1. */
  readonly onStep: (event: LoopStep) => void | Promise<void>;
  /** After the last step of each epoch, and after the last step of all. */
  readonly onEpoch: (epoch: number, step: number) => Promise<void>;
}

/** A training step that has been done. */
export interface LoopStep {
  readonly step: number;
  readonly epoch: number;
  readonly learningRate: number;
  readonly batch: Batch;
  readonly result: StepResult;
  /** That of the planned step. */
  readonly label?: string;
}

/**
 * Runs to the end of the schedule, or until the signal is aborted: the step in progress is then finished, and the number
 * of steps done is returned.
 *
 * @throws TrainingError when the loss is no longer a number; the state is that of the last good step.
 */
export async function runLoop(options: LoopOptions): Promise<number> {
  const { loader, schedule, clipNorm, signal } = options;
  const perEpoch = loader.batchesPerEpoch;
  let step = options.startStep;
  while (step < schedule.steps) {
    const epoch = Math.floor(step / perEpoch);
    for await (const batch of loader.epoch(epoch, { startBatch: step % perEpoch })) {
      if (signal.aborted) return step;
      const rate = learningRate(schedule, step);
      const settings = { learningRate: rate, ...(clipNorm === undefined ? {} : { clipNorm }) };
      const { step: compiled, inputs, label } = options.stepFor(step);
      const fed = await inputs(batch, step);
      const result = await atStep(step + 1, compiled.run(fed, settings));
      step += 1;
      await options.onStep({
        step,
        epoch,
        learningRate: rate,
        batch,
        result,
        ...(label === undefined ? {} : { label }),
      });
      if (step === schedule.steps) break;
    }
    await options.onEpoch(epoch, step);
  }
  return step;
}

/** Adds to a diverged step which one it was. */
async function atStep(step: number, running: Promise<StepResult>): Promise<StepResult> {
  try {
    return await running;
  } catch (error) {
    if (!(error instanceof TrainingError)) throw error;
    throw new TrainingError(`step ${step}: ${error.message}`, 1, { cause: error });
  }
}
