/** The training part of `pretrain`: programs compiled, folder opened, loop run, states saved, quality measured. */
import { InterruptedError, TrainingError } from '../base/errors.js';
import type { Lineage } from '../checkpoint/index.js';
import type { Batch, Loader } from '../data/index.js';
import type { TensorValues } from '../engine/tensor-spec.js';
import type { Engine, InferenceStep, State, TrainingStep } from '../engine/types.js';
import type { ModelSpec } from '../model/spec.js';
import * as train from '../train/index.js';
import type { StageContext } from './context.js';
import { Monitor } from './monitor.js';
import type { PretrainConfig } from './pretrain.js';
import { type OutFolder, openRunFolder, type RunFolder, runFolder } from './run-folder.js';
import { restoreState, saveState } from './saved-state.js';

/** What is needed to compile. */
export interface RunParts {
  readonly config: PretrainConfig;
  readonly spec: ModelSpec;
  readonly engine: Engine;
  readonly state: State;
  readonly trainLoader: Loader;
  readonly testLoader: Loader;
  readonly testImages: number;
  readonly lineage: () => Lineage;
  readonly context: StageContext;
}

/** A run that can begin. */
export interface Run extends RunParts {
  readonly folder: RunFolder;
  readonly plan: train.Plan;
  readonly training: TrainingStep;
  readonly inference: InferenceStep;
  /** Steps done before this process began. */
  readonly startStep: number;
}

/** What training gives; shares in 0..1, on the test split. */
export interface Trained {
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
  readonly steps: number;
  readonly epochs: number;
  readonly imagesPerSecond: number;
}

/**
 * Compiles, restores the saved state of a run that is resumed, and only then opens the folder: what fails before leaves
 * it as it was.
 *
 * @throws ConfigError, CheckpointError, EngineError, WaveError
 */
export async function prepareRun(parts: RunParts, out: OutFolder): Promise<Run> {
  const { config, spec, engine, state, trainLoader, context } = parts;
  const plan = train.planRun(config.train, trainLoader.batchesPerEpoch);
  context.emit({
    type: 'phase',
    text: `compiling for ${engine.name}/${engine.device}, ${engine.threads} thread${engine.threads === 1 ? '' : 's'}`,
  });
  const program = train.trainingProgram(spec, config.train.batch, { dropPath: config.train.drop_path > 0 });
  const training = await engine.compileTraining(program, state);
  const evaluation = train.inferenceProgram(spec, config.eval.batch);
  const inference = await engine.compileInference(evaluation, state, { frozen: false });
  const path = runFolder(out.dir).state;
  const startStep = out.resume ? await restoreState(path, state, parts.lineage()) : 0;
  if (context.signal.aborted) throw new InterruptedError('stopped before the first step; nothing was written');
  if (plan.warmupSteps >= plan.steps) {
    context.emit({ type: 'warning', text: `all ${plan.steps} steps are warm-up: shorten train.warmup_epochs` });
  }
  const folder = await openRunFolder(out, config);
  return { ...parts, folder, plan, training, inference, startStep };
}

/** Trains to the end of the plan and measures the result. */
export async function trainModel(run: Run): Promise<Trained> {
  const { folder, startStep } = run;
  const metrics =
    startStep > 0 ? await train.MetricsLog.resume(folder.metrics, startStep) : train.MetricsLog.create(folder.metrics);
  try {
    return await runSteps(run, metrics);
  } finally {
    metrics.close();
  }
}

async function runSteps(run: Run, metrics: train.MetricsLog): Promise<Trained> {
  const { config, plan, training, trainLoader, folder, context, startStep } = run;
  const { batch, log_every, eval_every, lr, min_lr, clip } = config.train;
  const { signal } = context;
  const { classes } = run.spec;
  let saved = startStep > 0 ? startStep : undefined;
  const save = async (step: number) => {
    await saveState(folder.state, run.state, step, run.lineage());
    saved = step;
  };
  const monitor = new Monitor({ context, metrics, steps: plan.steps, batch, classes, logEvery: log_every });
  let quality: train.Quality | undefined;
  /** Measures after `step` steps, of which the last was in `epoch`. No quality afterwards means interrupted. */
  const evaluate = async (epoch: number, step: number) => {
    quality = await measure(run);
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
  monitor.resume();
  let done: number;
  try {
    done = await train.runLoop({
      step: training,
      loader: trainLoader,
      schedule: { lr, minLr: min_lr, steps: plan.steps, warmupSteps: plan.warmupSteps },
      clipNorm: clip ?? undefined,
      startStep,
      signal,
      inputs: (fed, step) => stepInputs(run, fed, step),
      onStep: (event) => monitor.step(event, event.result.outputs.get(train.LOGITS) as Float32Array),
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
  const { imagesPerSecond } = monitor;
  return { steps: plan.steps, epochs: plan.epochs, imagesPerSecond, top1, top5, loss };
}

function announcement({ config, plan, startStep }: Run): string {
  if (startStep === plan.steps) return `nothing left to train: all ${plan.steps} steps are done`;
  const from = startStep > 0 ? ` from step ${startStep}` : '';
  return `training ${plan.steps} steps of ${config.train.batch} images${from}`;
}

function measure({ spec, inference, testLoader, testImages: total, context }: Run): Promise<train.Quality | undefined> {
  const onBatch = (done: number) => context.emit({ type: 'evaluating', done, total });
  const { classes } = spec;
  const { signal } = context;
  return train.evaluateModel({ step: inference, loader: testLoader, classes, signal, onBatch });
}

function diverged(error: TrainingError, { state }: RunFolder, saved: number | undefined): TrainingError {
  const kept = saved !== undefined ? `${state} holds the state after step ${saved}` : 'no state had been saved yet';
  return new TrainingError(`${error.message}; ${kept}`, 1, { cause: error });
}

function stepInputs({ config, spec }: Run, batch: Batch, step: number): Map<string, TensorValues> {
  const { label_smoothing, drop_path } = config.train;
  const inputs = new Map<string, TensorValues>([
    [train.PATCHES, batch.patches],
    [train.TARGETS, train.smoothedTargets(batch.labels, spec.classes, label_smoothing)],
  ]);
  if (drop_path > 0) {
    const options = { depth: spec.depth, batch: config.train.batch, rate: drop_path, seed: config.seed, step };
    inputs.set(train.DROP_PATH, train.dropPathFactors(options));
  }
  return inputs;
}
