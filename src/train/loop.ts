/** The training loop: batches in, steps out, from any step on. */
import { EngineError, TrainingError } from '../base/errors.js';
import type { Batch, Loader } from '../data/index.js';
import type { TensorValues } from '../engine/tensor-spec.js';
import type { StepResult, StepSettings, TrainingStep } from '../engine/types.js';
import { imagesOf, type Part, resultOf, type StepImages } from './parts.js';
import { learningRate, type Schedule } from './schedule.js';

/** One of the compiled steps of a run, and what it is fed. */
export interface PlannedStep {
  readonly step: TrainingStep;
  /** What is fed for a batch in step `step`, of which it is part `part`, from 0; it may have to be computed first. */
  readonly inputs: (
    batch: Batch,
    step: number,
    part: number,
  ) => ReadonlyMap<string, TensorValues> | Promise<ReadonlyMap<string, TensorValues>>;
  /** Which of several steps it is, for example the size that is trained in it: "64x4". */
  readonly label?: string;
}

export interface LoopOptions {
  /** What is done in step `step`, from 0. */
  readonly stepFor: (step: number) => PlannedStep;
  readonly loader: Pick<Loader, 'batchesPerEpoch' | 'epoch'>;
  readonly schedule: Schedule;
  /** Batches per step; what is left of an epoch after the last whole step is left out. Default 1. */
  readonly accumulate?: number;
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
  readonly batch: StepImages;
  /** Over all parts of the step. */
  readonly result: StepResult;
  /** Milliseconds that the loop waited for the batches of the step. */
  readonly dataWait: number;
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
  const { loader, schedule, clipNorm, signal, accumulate = 1 } = options;
  const perEpoch = Math.floor(loader.batchesPerEpoch / accumulate);
  let step = options.startStep;
  while (step < schedule.steps) {
    const epoch = Math.floor(step / perEpoch);
    let parts: Part[] = [];
    let dataWait = 0;
    const batches = loader.epoch(epoch, { startBatch: (step % perEpoch) * accumulate });
    for await (const { batch, waited } of timed(batches)) {
      dataWait += waited;
      if (signal.aborted && parts.length === 0) return step;
      const rate = learningRate(schedule, step);
      const settings = { learningRate: rate, ...(clipNorm === undefined ? {} : { clipNorm }) };
      const { step: compiled, inputs, label } = options.stepFor(step);
      const fed = await inputs(batch, step, parts.length);
      const isLast = parts.length === accumulate - 1;
      parts.push({ batch, result: await atStep(step + 1, runPart(compiled, fed, isLast ? settings : undefined)) });
      if (!isLast) continue;
      step += 1;
      await options.onStep({
        step,
        epoch,
        learningRate: rate,
        batch: imagesOf(parts),
        result: resultOf(parts),
        dataWait,
        ...(label === undefined ? {} : { label }),
      });
      parts = [];
      dataWait = 0;
      if (step === schedule.steps || step % perEpoch === 0) break;
    }
    await options.onEpoch(epoch, step);
  }
  return step;
}

/** Batches with the milliseconds from when each was asked for until it was there. */
async function* timed(batches: AsyncIterable<Batch>): AsyncGenerator<{ batch: Batch; waited: number }, void> {
  let asked = performance.now();
  for await (const batch of batches) {
    yield { batch, waited: performance.now() - asked };
    asked = performance.now();
  }
}

/** Without settings, the gradient waits for the last part of the step. */
function runPart(
  step: TrainingStep,
  fed: ReadonlyMap<string, TensorValues>,
  settings: StepSettings | undefined,
): Promise<StepResult> {
  if (settings) return step.run(fed, settings);
  if (step.accumulate) return step.accumulate(fed);
  throw new EngineError('internal: the engine cannot do a step in parts');
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
