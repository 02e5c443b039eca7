/** Stage `pretrain`: trains a ViT from random weights. Makes ancestors, and the from-scratch rows of comparisons. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, InterruptedError, TrainingError } from '../base/errors.js';
import { toolVersion } from '../base/version.js';
import { type Lineage, makeLineage } from '../checkpoint/index.js';
import { configSha256 } from '../config/index.js';
import { type Batch, type Dataset, Loader, openData } from '../data/index.js';
import { createEngine } from '../engine/create.js';
import type { TensorValues } from '../engine/tensor-spec.js';
import type { Engine, State } from '../engine/types.js';
import { resolveModel } from '../model/config.js';
import { initialise } from '../model/initialise.js';
import { parameterCount } from '../model/parameters.js';
import { preprocessFor } from '../model/preprocess.js';
import { saveModel } from '../model/save.js';
import type { ModelSpec } from '../model/spec.js';
import * as train from '../train/index.js';
import type { StageContext } from './context.js';
import { Monitor } from './monitor.js';
import { type OutFolder, openRunFolder, type RunFolder } from './run-folder.js';
import { restoreState, saveState } from './saved-state.js';
import { commonShape, modelShape } from './schemas.js';

export const pretrainSchema = z.strictObject({ ...modelShape, ...commonShape, train: train.trainSchema.prefault({}) });

/** The checked configuration of `pretrain`. */
export type PretrainConfig = z.output<typeof pretrainSchema>;

export interface PretrainResult {
  /** Path of the model. */
  readonly model: string;
  readonly steps: number;
  readonly epochs: number;
  /** Shares in 0..1, on the test split. */
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
  readonly parameters: number;
  readonly imagesPerSecond: number;
  readonly seconds: number;
  readonly engine: string;
  readonly device: string;
}

/** What the parts of a run share. */
interface Run {
  readonly config: PretrainConfig;
  readonly spec: ModelSpec;
  readonly folder: RunFolder;
  readonly engine: Engine;
  readonly state: State;
  readonly trainLoader: Loader;
  readonly testLoader: Loader;
  readonly lineage: () => Lineage;
  readonly context: StageContext;
}

/**
 * Trains, evaluates after every `eval_every` epochs, and writes `model.safetensors`, `metrics.jsonl`,
 * `config.resolved.yaml` and `state.safetensors` into the run folder.
 *
 * @throws ConfigError, DataError, EngineError; TrainingError when the loss is no longer a number (the last saved state
 * stays); InterruptedError when `context.signal` was aborted (the state is saved).
 */
export async function pretrain(config: PretrainConfig, out: OutFolder, context: StageContext): Promise<PretrainResult> {
  const start = performance.now();
  context.emit({ type: 'phase', text: 'opening data' });
  const [trainData, testData] = await Promise.all([
    openData(config.data, 'train', { seed: config.seed }),
    openData(config.data, 'test', { seed: config.seed }),
  ]);
  const spec = modelFor(config, trainData);
  const { batch } = config.train;
  const common = { patch: spec.patch, seed: config.seed, workers: config.data.workers };
  const trainLoader = new Loader({ dataset: trainData, mode: 'train', batch, ...common });
  const testLoader = new Loader({ dataset: testData, mode: 'eval', batch: config.eval.batch, ...common });
  const engine = createEngine(config.engine);
  try {
    const folder = await openRunFolder(out, config);
    const [beta1, beta2] = config.train.betas;
    const entries = train.modelEntries(spec, initialise(spec, config.seed), {
      trained: true,
      weightDecay: config.train.weight_decay,
    });
    const state = await engine.createState(entries, { beta1, beta2, epsilon: config.train.eps });
    const lineage = () =>
      makeLineage({
        command: context.command,
        configSha256: configSha256(config),
        parents: [],
        dataSha256: trainData.sha256(),
        seed: config.seed,
        engine: `${engine.name}/${engine.device} ${engine.version}`,
        toolVersion: toolVersion(),
      });
    const run: Run = { config, spec, folder, engine, state, trainLoader, testLoader, lineage, context };
    const trained = await trainModel(run, out.resume ?? false);
    await saveModel(folder.model, { spec, values: await state.read(), lineage: lineage() });
    return {
      model: folder.model,
      parameters: parameterCount(spec),
      seconds: (performance.now() - start) / 1000,
      engine: engine.name,
      device: engine.device,
      ...trained,
    };
  } finally {
    await Promise.all([trainLoader.close(), testLoader.close(), engine.dispose()]);
  }
}

function modelFor(config: PretrainConfig, data: Dataset): ModelSpec {
  const { source, channels } = data;
  return resolveModel(config.model, {
    channels,
    classes: source.classes,
    image: [source.height, source.width],
    preprocess: preprocessFor(config.data.mean, config.data.std, channels),
  });
}

type Trained = Pick<PretrainResult, 'steps' | 'epochs' | 'imagesPerSecond' | 'top1' | 'top5' | 'loss'>;

async function trainModel(run: Run, resume: boolean): Promise<Trained> {
  const { config, spec, folder, engine, state, trainLoader, testLoader, context } = run;
  const plan = train.planRun(config.train, trainLoader.batchesPerEpoch);
  context.emit({ type: 'phase', text: `compiling for ${engine.name}/${engine.device}, ${engine.threads} threads` });
  const program = train.trainingProgram(spec, config.train.batch, { dropPath: config.train.drop_path > 0 });
  const step = await engine.compileTraining(program, state);
  const inference = await engine.compileInference(train.inferenceProgram(spec, config.eval.batch), state, {
    frozen: false,
  });
  const startStep = resume ? await restoreState(savedState(folder), state, configSha256(config)) : 0;
  const metrics = resume
    ? await train.MetricsLog.resume(folder.metrics, startStep)
    : train.MetricsLog.create(folder.metrics);
  try {
    const monitor = new Monitor({
      context,
      metrics,
      steps: plan.steps,
      batch: config.train.batch,
      classes: spec.classes,
      logEvery: config.train.log_every,
      startStep,
    });
    let quality: train.Quality | undefined;
    const evaluate = async () => {
      const total = testLoader.batchesPerEpoch * config.eval.batch;
      const onBatch = (done: number) => context.emit({ type: 'evaluating', done, total });
      const { classes } = spec;
      return train.evaluateModel({ step: inference, loader: testLoader, classes, signal: context.signal, onBatch });
    };
    context.emit({
      type: 'phase',
      text:
        startStep >= plan.steps
          ? `nothing left to train: ${startStep} of ${plan.steps} steps are done`
          : `training ${plan.steps} steps of ${config.train.batch} images${startStep > 0 ? ` from step ${startStep}` : ''}`,
    });
    const done = await train.runLoop({
      step,
      loader: trainLoader,
      schedule: { lr: config.train.lr, minLr: config.train.min_lr, steps: plan.steps, warmupSteps: plan.warmupSteps },
      clipNorm: config.train.clip ?? undefined,
      startStep,
      signal: context.signal,
      inputs: (batch, index) => stepInputs(run, batch, index),
      onStep: (event) => monitor.step(event, event.result.outputs.get(train.LOGITS) as Float32Array),
      onEpoch: async (epoch, stepsDone) => {
        await saveState(folder.state, state, stepsDone, run.lineage());
        const last = stepsDone === plan.steps;
        if (!last && (epoch + 1) % config.train.eval_every !== 0) return;
        quality = await evaluate();
        if (quality) monitor.evaluated(epoch, stepsDone, quality);
        monitor.restartClock();
      },
    });
    if (done < plan.steps || (context.signal.aborted && !quality)) {
      await saveState(folder.state, state, done, run.lineage());
      throw new InterruptedError(
        `stopped after step ${done} of ${plan.steps}; ${folder.state} is saved, --resume goes on`,
      );
    }
    const final = quality ?? (await evaluate());
    if (!final) throw new InterruptedError(`stopped during the last evaluation; ${folder.state} is saved`);
    const { top1, top5, loss } = final;
    if (!Number.isFinite(loss)) throw new TrainingError('the test loss is not a number: lower train.lr');
    return { steps: plan.steps, epochs: plan.epochs, imagesPerSecond: monitor.imagesPerSecond, top1, top5, loss };
  } finally {
    metrics.close();
  }
}

function savedState({ dir, state }: RunFolder): string {
  if (existsSync(state)) return state;
  throw new ConfigError(`${dir}: holds no saved state (${state}) to resume from; start without --resume`);
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
