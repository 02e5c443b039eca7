/**
 * The library `wave-vit`: everything the command line is made of. Nothing here prints, ends the process or reads the
 * command line; what a user can do wrong is thrown as a `WaveError`.
 */

// Errors, random numbers, version.
export { WriteError } from './base/atomic-write.js';
export {
  CheckError,
  ConfigError,
  DataError,
  EngineError,
  type ExitCode,
  InterruptedError,
  ModelError,
  ResumeError,
  TrainingError,
  WaveError,
} from './base/errors.js';
export { createRng, type Rng, type RngState } from './base/rng.js';
export { toolVersion } from './base/version.js';
// Checkpoints.
export * from './checkpoint/index.js';
// Configuration.
export { type EngineConfig, engineSchema } from './config/engine-schema.js';
export * from './config/index.js';
// Data.
export * from './data/index.js';
// Engines.
export { type ChooseOptions, chooseDevice, type DeviceChoice } from './engine/choose.js';
export { checkEngine, createEngine } from './engine/create.js';
export { type OnnxFile, type OnnxTensor, type OnnxValue, openOnnxFile } from './engine/onnx-file.js';
export type { OrtDevice } from './engine/ort/engine.js';
export { type ProbeOptions, type ProbeResult, type ProbeStatus, type ProbeTarget, probe } from './engine/probe.js';
export { type EngineName, type EngineTarget, TARGETS } from './engine/targets.js';
export type { ElementType, TensorSpec, TensorSpecs, TensorValues } from './engine/tensor-spec.js';
export { type Scalar, type Tensor, tf } from './engine/tf.js';
export type * from './engine/types.js';
// Initialisation.
export {
  type Change as InitChange,
  findMethod,
  type Initialised,
  type Inputs as InitInputs,
  METHODS,
  type Method as InitMethod,
  type MethodEntry as InitMethodEntry,
  type Need as InitNeed,
  type Paper,
  planTarget,
  type Request as InitRequest,
  resized,
} from './init/index.js';
// Models.
export {
  checkFits,
  checkModel,
  type DataFacts,
  type KnownFacts,
  type ModelConfig,
  modelSchema,
  resolveModel,
} from './model/config.js';
export { detectSpec, type Hints, type Shapes } from './model/detect.js';
export type {
  Agreement,
  ExportFormat,
  ExportModel,
  ExportOptions,
  ExportPlan,
  FormatEntry,
} from './model/export/format.js';
export { ONNX_OPSET, type OnnxOptions, onnxModel, onnxModelParts } from './model/export/onnx.js';
export { checkOnnxFile } from './model/export/onnx-check.js';
export { FORMATS, findFormat } from './model/export/registry.js';
export { collect, type Fill } from './model/fill.js';
export { forward, type Parameters } from './model/forward.js';
export { initialise, initialiser } from './model/initialise.js';
export { type LoadedModel, type LoadedSpec, loadModel, loadModelSpec, type Reading } from './model/load.js';
export { isDecayed, isEmbedding, isHead, isNorm, parameterCount, parameterShapes } from './model/parameters.js';
export { changedPreprocess, type PreprocessChanges, preprocessFor } from './model/preprocess.js';
export { PRESET_NAMES, PRESETS, type Preset, type PresetName } from './model/presets.js';
export { type PositionFilter, resizePositions } from './model/resize-positions.js';
export { saveModel } from './model/save.js';
export { type Geometry, geometry, type ModelSpec, modelSpecSchema, type Preprocess } from './model/spec.js';
// Ops.
export * from './ops/index.js';
export type { FoundImages } from './stages/broken-images.js';
// Stages.
export type { StageContext, StageEvent } from './stages/context.js';
export { type ConvertOptions, type ConvertPlan, type ConvertResult, checkConvert, convert } from './stages/convert.js';
export { type ClassListing, type DataListing, listData, type Split, type SplitListing } from './stages/data/list.js';
export { drawSamples, type Samples } from './stages/data/samples.js';
export { type DataStatistics, measureData, type Spread, type StatisticsOptions } from './stages/data/statistics.js';
export {
  type CheckpointDiff,
  type DifferenceKind,
  type DiffSide,
  diffCheckpoints,
  type FieldDifference,
  type TensorDifference,
  type TensorFacts,
} from './stages/diff.js';
export {
  checkDistill,
  type DistillConfig,
  type DistillInputs,
  type DistillResult,
  distill,
  distillSchema,
  type ModelSize,
} from './stages/distill.js';
export { epsilonChange, type LogitChange } from './stages/epsilon.js';
export {
  type EvaluateConfig,
  type EvaluateResult,
  type EvaluateSettings,
  evaluate,
  evaluateSchema,
} from './stages/evaluate.js';
export {
  checkExport,
  type ExportResult,
  type ExportSettings,
  type ExportSummary,
  exportModel,
} from './stages/export.js';
export type { ExportFolder } from './stages/export-folder.js';
export {
  checkFinetune,
  type FinetuneConfig,
  type FinetuneResult,
  finetune,
  finetuneSchema,
} from './stages/finetune.js';
export {
  checkFit,
  type FitConfig,
  type FitInputs,
  type FitResult,
  fit,
  fitSchema,
} from './stages/fit.js';
export { checkInit, type InitOptions, type InitPlan, type InitResult, initTarget } from './stages/init.js';
export type { InitFiles } from './stages/init-inputs.js';
export type { OutFile } from './stages/out-file.js';
export * from './stages/pipeline/index.js';
export { type Guess, type PredictOptions, type PredictResult, predict } from './stages/predict.js';
export {
  checkPretrain,
  type PretrainConfig,
  type PretrainResult,
  pretrain,
  pretrainSchema,
} from './stages/pretrain.js';
export { type OutFolder, type RunFolder, runFolder } from './stages/run-folder.js';
export { type Companion, type FoundKeeper, type ResumedRun, restoreState, saveState } from './stages/saved-state.js';
export type { StartInputs } from './stages/start-model.js';
export type { Trained } from './stages/training-run.js';
// Training.
export * from './train/index.js';
// Templates and scalers.
export {
  type Arrangement,
  type BankSpec,
  bankSpecSchema,
  type ClosedForm,
  type ClosedFormJob,
  type Convention,
  checkLayout,
  checkTogether,
  closedForm,
  closedFormFor,
  closedFormInThread,
  type DistillationLoss,
  distillationLoss,
  inheritScalers,
  type LoadedBank,
  type LoadedScalers,
  loadScalers,
  loadTemplates,
  materialise,
  materialiser,
  materialiseValues,
  type NamedValues,
  randomScalers,
  randomTemplates,
  type ScalersOf,
  type ScalersSpec,
  saveScalers,
  saveTemplates,
  scalerShapes,
  scalersSpecSchema,
  type TargetSize,
  type TemplateLayout,
  type TemplateModel,
  type TemplateTrainingOptions,
  type TemplateTrainingRule,
  targetSpec,
  templateEntries,
  templateInferenceProgram,
  templateLayoutSchema,
  templateShapes,
  templateTrainingProgram,
  widthUnit,
} from './wave/index.js';
