/**
 * One training run, whatever is trained: programs compiled, folder opened, loop run, states saved, quality measured.
 * A stage says what a step is and what is evaluated; this file makes it resumable, interruptible and logged.
 */
import { existsSync } from 'node:fs';
import { ConfigError, InterruptedError, ResumeError, TrainingError } from '../base/errors.js';
import { CheckpointError, type Lineage } from '../checkpoint/index.js';
import type { Engine, InferenceStep, State } from '../engine/types.js';
import * as train from '../train/index.js';
import { type BestEvaluation, BestModel, type BestWriter } from './best-model.js';
import type { StageContext } from './context.js';
import { isFinished } from './finished-run.js';
import { Monitor } from './monitor.js';
import type { RunLoaders } from './run-data.js';
import { discardRun, type OutFolder, openRunFolder, type RunFiles, type RunFolder, runFolder } from './run-folder.js';
import { type Companion, restoreState, saveState } from './saved-state.js';

/** What of the `train:` block every training has; a stage may have more. */
export type RunSettings = Pick<
  train.TrainConfig,
  | 'epochs'
  | 'steps'
  | 'warmup_epochs'
  | 'warmup_lr'
  | 'batch'
  | 'accumulate'
  | 'lr'
  | 'lr_base_batch'
  | 'min_lr'
  | 'clip'
  | 'log_every'
  | 'eval_every'
>;

/** What a stage compiles: its training steps, all over one state, and how that state is evaluated. */
export interface RunPrograms {
  /**
   * What is done in step `step`, counted from 0: a pure function of it, so that a resumed run repeats it. Programs give
   * `LOGITS [batch, classes]`; what else of one number they give is averaged and logged under its name.
   */
  readonly stepFor: (step: number) => train.PlannedStep;
  /** Gives `LOGITS [eval batch, classes]` of `PATCHES`. */
  readonly inference: InferenceStep;
}

/** What a stage hands over. */
export interface RunParts {
  /** All settings of the stage, for `config.resolved.yaml`. */
  readonly config: { readonly train: RunSettings; readonly eval: { readonly start: boolean } };
  readonly engine: Engine;
  /** What is trained, saved and restored. */
  readonly state: State;
  readonly loaders: RunLoaders;
  readonly classes: number;
  /** The artifacts that the stage writes into the folder afterwards, and the files that it has read. */
  readonly files: RunFiles;
  /** Of everything this run writes, the saved state included; `parents` and all that decides the weights must be in it. */
  readonly lineage: () => Lineage;
  readonly compile: () => Promise<RunPrograms>;
  /** Values beside the state that have to survive an interruption. */
  readonly companion?: Companion;
  /** Work that belongs to the run and comes before its folder is opened. */
  readonly beforeOpening?: (begin: RunBegin) => Promise<void>;
  /** After each step and before anything is saved or evaluated. */
  readonly afterStep?: (event: train.LoopStep) => void | Promise<void>;
  readonly beforeEvaluation?: () => Promise<void>;
  /** Present where the best model is kept. */
  readonly best?: BestWriter | undefined;
  readonly context: StageContext;
}

/** Where a run begins and ends. */
export interface RunBegin {
  readonly plan: train.Plan;
  /** Steps done before this process began. */
  readonly startStep: number;
}

/** A run that can begin. */
export interface Run extends RunParts, RunPrograms, RunBegin {
  readonly folder: RunFolder;
  /** The folder was not there before. */
  readonly isNewFolder: boolean;
  /** All its artifacts have been written, too: they are to stay as they are. */
  readonly finished: boolean;
}

/** What training gives; shares in 0..1, on the test split. */
export interface Trained {
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
  readonly steps: number;
  readonly epochs: number;
  readonly imagesPerSecond: number;
  /** Share of the time of training that was spent waiting for batches, 0..1. */
  readonly dataWait: number;
  /** Before the first step, with `eval.start`. */
  readonly startTop1?: number;
  /** Images that could not be read and were left out, those before an interruption included; absent: none. */
  readonly brokenImages?: number;
  /** The best evaluation after a step, and its model, with `train.keep_best`. */
  readonly best?: BestEvaluation & { readonly model: string };
}

/**
 * Compiles, restores the saved state of a run that is resumed, and only then opens the folder: what fails before leaves
 * it as it was.
 *
 * @throws ResumeError when the saved state is not one of this run; ConfigError, CheckpointError, EngineError, WaveError
 */
export async function prepareRun(parts: RunParts, out: OutFolder): Promise<Run> {
  const { config, engine, loaders, files, context } = parts;
  const plan = train.planRun(config.train, loaders.train.batchesPerEpoch);
  context.emit({
    type: 'phase',
    text: `compiling for ${engine.name}/${engine.device}, ${engine.threads} thread${engine.threads === 1 ? '' : 's'}`,
  });
  const programs = await parts.compile();
  if (config.train.accumulate > 1 && !programs.stepFor(0).step.accumulate) {
    throw new ConfigError(
      `train.accumulate: ${config.train.accumulate} needs gradients in memory, which device ${engine.device} does not ` +
        'give; use 1 or device cpu',
    );
  }
  const startStep = out.resume ? await restore(runFolder(out.dir).state, parts) : 0;
  loaders.broken.begin();
  if (context.signal.aborted) throw new InterruptedError('stopped before the first step; nothing was written');
  if (config.train.lr_base_batch !== null) {
    context.emit({ type: 'note', text: `highest learning rate: ${train.rateText(config.train)}` });
  }
  if (plan.warmupSteps >= plan.steps) {
    context.emit({ type: 'warning', text: `all ${plan.steps} steps are warm-up: shorten train.warmup_epochs` });
  }
  await parts.beforeOpening?.({ plan, startStep });
  const isNewFolder = !existsSync(out.dir);
  const folder = await openRunFolder(out, config, files);
  const finished = startStep === plan.steps && (await isFinished(folder, files, parts.lineage()));
  if (finished) context.emit({ type: 'note', text: `nothing left to do: ${out.dir} holds a finished run` });
  return { ...parts, ...programs, folder, isNewFolder, plan, startStep, finished };
}

/** A state that does not fit is told apart from one that could not be read this time, which may well fit. */
async function restore(path: string, { state, lineage, companion, loaders }: RunParts): Promise<number> {
  try {
    return await restoreState(path, state, lineage(), companion, loaders.broken);
  } catch (error) {
    if (error instanceof ConfigError) throw new ResumeError(error);
    if (error instanceof CheckpointError && error.code !== 'IoError') throw new ResumeError(error);
    throw error;
  }
}

/**
 * Trains to the end of the plan and measures the result. The artifacts are the stage's own to write afterwards. What fails
 * before a step is done and a state saved leaves nothing behind, so that it can be tried again as it was.
 *
 * @throws TrainingError when a loss is no longer a number (the last saved state stays); InterruptedError when the signal
 * was aborted (the state is saved).
 */
export async function trainModel(run: Run): Promise<Trained> {
  const { folder, files, isNewFolder } = run;
  let hasBegun = run.startStep > 0;
  const begun = () => {
    hasBegun = true;
  };
  try {
    return await logged(run, begun);
  } catch (error) {
    if (!hasBegun && !existsSync(folder.state)) await discardRun(folder, files, isNewFolder);
    throw error;
  }
}

async function logged(run: Run, begun: () => void): Promise<Trained> {
  const { folder, startStep } = run;
  const metrics =
    startStep > 0 ? await train.MetricsLog.resume(folder.metrics, startStep) : train.MetricsLog.create(folder.metrics);
  try {
    return await runSteps(run, metrics, begun);
  } finally {
    metrics.close();
  }
}

async function runSteps(run: Run, metrics: train.MetricsLog, begun: () => void): Promise<Trained> {
  const { config, classes, plan, folder, context, startStep } = run;
  const { accumulate, log_every, eval_every, min_lr, warmup_lr, clip } = config.train;
  const batch = train.stepImages(config.train);
  const { signal } = context;
  let saved = startStep > 0 ? startStep : undefined;
  const { broken } = run.loaders;
  let savedBroken = broken.count;
  const save = async (step: number) => {
    await saveState(folder.state, run.state, step, run.lineage(), run.companion, broken);
    [saved, savedBroken] = [step, broken.count];
  };
  const monitor = new Monitor({ context, metrics, steps: plan.steps, batch, classes, logEvery: log_every });
  const keeper = run.best && new BestModel(folder.best, run.best, metrics.best);
  let quality: train.Quality | undefined;
  /** Measures after `step` steps, of which the last was in `epoch`. No quality afterwards means interrupted. */
  const evaluate = async (epoch: number, step: number) => {
    quality = await measure(run);
    // Those that it has told must not be told again by whoever resumes.
    if (saved === step && broken.count > savedBroken && !run.finished) await save(step);
    // Before the line of metrics, which says that nothing is left to be done for this evaluation.
    if (quality && !run.finished) await keeper?.offer({ step, top1: quality.top1 });
    if (quality && metrics.evaluatedStep !== step) monitor.evaluated(epoch, step, quality);
  };
  const isDue = (epoch: number, step: number) => step === plan.steps || (epoch + 1) % eval_every === 0;

  context.emit({ type: 'phase', text: announcement(run) });
  if (startStep > 0) {
    // The interrupted run may have come to the end of an epoch and not to its evaluation.
    const epoch = Math.ceil(startStep / plan.stepsPerEpoch) - 1;
    const atEnd = startStep % plan.stepsPerEpoch === 0 && metrics.evaluatedStep !== startStep;
    if (startStep === plan.steps || (atEnd && isDue(epoch, startStep))) await evaluate(epoch, startStep);
  }
  if (startStep === 0 && config.eval.start) {
    const found = await measure(run);
    if (found) monitor.evaluatedAtStart(found);
  }
  monitor.resume();
  let done: number;
  try {
    done = await train.runLoop({
      stepFor: run.stepFor,
      loader: run.loaders.train,
      accumulate,
      schedule: {
        lr: train.scaledRate(config.train),
        minLr: min_lr,
        steps: plan.steps,
        warmupSteps: plan.warmupSteps,
        warmupLr: warmup_lr ?? undefined,
      },
      clipNorm: clip ?? undefined,
      startStep,
      signal,
      onStep: async (event) => {
        begun();
        await run.afterStep?.(event);
        monitor.step(event);
      },
      onEpoch: async (epoch, step) => {
        monitor.pause();
        await save(step);
        if (isDue(epoch, step)) await evaluate(epoch, step);
        monitor.resume();
      },
    });
  } catch (error) {
    throw error instanceof TrainingError ? diverged(error, folder, saved) : error;
  }
  if (done < plan.steps || !quality) {
    if (done !== saved) await save(done);
    const what = done < plan.steps ? `after step ${done} of ${plan.steps}` : 'during the last evaluation';
    throw new InterruptedError(`stopped ${what}; ${folder.state} is saved, --resume goes on`);
  }
  const { top1, top5, loss } = quality;
  if (!Number.isFinite(loss)) throw new TrainingError('the test loss is not a number; lower train.lr');
  const { imagesPerSecond, dataWait } = monitor;
  const { startTop1 } = metrics;
  const best = keeper?.best;
  return {
    steps: plan.steps,
    epochs: plan.epochs,
    imagesPerSecond,
    dataWait,
    top1,
    top5,
    loss,
    ...(startTop1 === undefined ? {} : { startTop1 }),
    ...broken.result(),
    ...(best ? { best: { ...best, model: folder.best } } : {}),
  };
}

function announcement({ config, plan, startStep }: Run): string {
  if (startStep === plan.steps) return `nothing left to train: all ${plan.steps} steps are done`;
  const from = startStep > 0 ? ` from step ${startStep}` : '';
  const { batch, accumulate } = config.train;
  return `training ${plan.steps} steps of ${accumulate === 1 ? '' : `${accumulate} x `}${batch} images${from}`;
}

async function measure(run: Run): Promise<train.Quality | undefined> {
  const { inference, loaders, classes, context } = run;
  const { signal } = context;
  const onBatch = (done: number) => context.emit({ type: 'evaluating', done, total: loaders.testImages });
  await run.beforeEvaluation?.();
  return train.evaluateModel({ step: inference, loader: loaders.test, classes, signal, onBatch });
}

function diverged(error: TrainingError, { state }: RunFolder, saved: number | undefined): TrainingError {
  const kept = saved !== undefined ? `${state} holds the state after step ${saved}` : 'no state had been saved yet';
  return new TrainingError(`${error.message}; ${kept}`, 1, { cause: error });
}
