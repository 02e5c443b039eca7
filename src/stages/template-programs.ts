/** The programs of a run that trains templates or scalers: what `distill` and `fit` compile, and what they are fed. */
import type { Batch } from '../data/index.js';
import type { TensorValues } from '../engine/tensor-spec.js';
import type { Engine, State } from '../engine/types.js';
import type { PlannedStep } from '../train/index.js';
import {
  ANCESTOR,
  type DistillationLoss,
  type TemplateModel,
  templateInferenceProgram,
  templateTrainingProgram,
} from '../wave/index.js';
import { type AncestorLogits, decisions } from './ancestor-logits.js';
import { type ModelRunSettings, modelInputs, type PartOfStep } from './model-programs.js';
import type { RunPrograms } from './training-run.js';

export interface TemplateRun {
  readonly config: ModelRunSettings & { readonly ce: { readonly weight: number } };
  readonly engine: Engine;
  /** Holds templates, scalers and, where there is one, the model's own head. */
  readonly state: State;
  readonly evaluated: TemplateModel;
  /** What steps train, all over the one state. */
  readonly trained: readonly TrainedModel[];
  /** Which of `trained` step `step` trains; a pure function of it. */
  readonly pick: (step: number) => number;
  /** Absent: from labels alone. */
  readonly kd?: { readonly loss: DistillationLoss; readonly ancestor: AncestorLogits } | undefined;
}

export interface TrainedModel {
  readonly made: TemplateModel;
  /** Stands in the metrics, where a run trains several. */
  readonly label?: string;
}

/** @throws EngineError */
export async function compileTemplateRun(run: TemplateRun): Promise<RunPrograms> {
  const { config, engine, state, evaluated, trained, pick } = run;
  const planned: PlannedStep[] = [];
  for (const { made, label } of trained) {
    const program = templateTrainingProgram(made, {
      batch: config.train.batch,
      dropPath: config.train.drop_path > 0,
      ceWeight: config.ce.weight,
      ...(run.kd ? { kd: run.kd.loss } : {}),
    });
    const step = await engine.compileTraining(program, state);
    const inputs = (batch: Batch, index: number, part: number) =>
      templateInputs(run, made, batch, { step: index, part });
    planned.push({ step, inputs, ...(label === undefined ? {} : { label }) });
  }
  const inference = await engine.compileInference(templateInferenceProgram(evaluated, config.eval.batch), state, {
    frozen: false,
  });
  return { stepFor: (step) => planned[pick(step)] as PlannedStep, inference };
}

async function templateInputs(
  { config, kd }: TemplateRun,
  { model }: TemplateModel,
  batch: Batch,
  place: PartOfStep,
): Promise<Map<string, TensorValues>> {
  const logits = await kd?.ancestor.of(batch);
  const inputs = modelInputs(config, model, batch, place);
  if (kd && logits) inputs.set(ANCESTOR, kd.loss.target === 'hard' ? decisions(logits, model.classes) : logits);
  return inputs;
}
