/** The programs of a run that trains a plain ViT on labels: what `pretrain` and `finetune` compile. */
import type { Batch } from '../data/index.js';
import type { TensorValues } from '../engine/tensor-spec.js';
import type { Engine, State } from '../engine/types.js';
import type { ModelSpec } from '../model/spec.js';
import * as train from '../train/index.js';
import type { RunPrograms } from './training-run.js';

/** What of the settings decides what the programs compute. */
export interface ModelRunSettings {
  readonly train: Pick<train.TrainConfig, 'batch' | 'accumulate' | 'label_smoothing' | 'drop_path'>;
  readonly eval: { readonly batch: number };
  readonly seed: number;
}

export interface ModelRun {
  readonly config: ModelRunSettings;
  readonly spec: ModelSpec;
  readonly engine: Engine;
  /** Holds the parameters of `spec` under their timm names. */
  readonly state: State;
  /** What is evaluated, if not `state`: parameters of the same names. */
  readonly evaluated?: State;
}

/** @throws EngineError */
export async function compileModelRun(run: ModelRun): Promise<RunPrograms> {
  const { config, spec, engine, state, evaluated = state } = run;
  const program = train.trainingProgram(spec, config.train.batch, { dropPath: config.train.drop_path > 0 });
  const training = await engine.compileTraining(program, state);
  const evaluation = train.inferenceProgram(spec, config.eval.batch);
  const inference = await engine.compileInference(evaluation, evaluated, { frozen: false });
  const inputs = (fed: Batch, step: number, part: number) => modelInputs(config, spec, fed, { step, part });
  const planned = { step: training, inputs };
  return { stepFor: () => planned, inference };
}

/** A batch by its place in the run: the step, and which part of it, both from 0. */
export interface PartOfStep {
  readonly step: number;
  readonly part: number;
}

/** What `trainingProgram` is fed: patches, targets and, where it is on, the branches dropped in this part of the step. */
export function modelInputs(
  { train: { batch, accumulate: parts, label_smoothing, drop_path: rate }, seed }: ModelRunSettings,
  { classes, depth }: ModelSpec,
  fed: Batch,
  { step, part }: PartOfStep,
): Map<string, TensorValues> {
  const inputs = new Map<string, TensorValues>([
    [train.PATCHES, fed.patches],
    [train.TARGETS, train.batchTargets(fed, classes, label_smoothing)],
  ]);
  if (rate > 0) inputs.set(train.DROP_PATH, train.dropPathFactors({ depth, batch, rate, seed, step, part, parts }));
  return inputs;
}
