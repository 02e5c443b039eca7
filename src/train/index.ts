/** Training: programs, schedule, loop, scores. */
export { type AverageSettings, averageDecay, ParameterAverage } from './average.js';
export {
  checkTrain,
  finetuneFields,
  finetuneTrainSchema,
  modelTrainFields,
  type Plan,
  planRun,
  pretrainTrainSchema,
  type RateSettings,
  rateText,
  scaledRate,
  stepImages,
  type TrainConfig,
  type TrainDefaults,
  trainFields,
  trainSchema,
  trainSchemaWith,
} from './config.js';
export { type DropPathOptions, dropPathFactors } from './drop-path.js';
export { type EvaluateOptions, evaluateModel } from './evaluate.js';
export { frozenParameters } from './freeze.js';
export { layerOf, layerScale } from './layer-decay.js';
export { type LoopOptions, type LoopStep, type PlannedStep, runLoop } from './loop.js';
export { type Metrics, MetricsLog } from './metrics.js';
export type { StepImages } from './parts.js';
export { DROP_PATH, inferenceProgram, LOGITS, PATCHES, TARGETS, trainingProgram } from './program.js';
export { learningRate, type Schedule } from './schedule.js';
export { addScores, NO_SCORES, type Quality, quality, type Scores, score } from './scores.js';
export { type ModelRules, modelEntries } from './state.js';
export { batchTargets, type LabelledBatch, mainLabels, smoothedTargets } from './targets.js';
