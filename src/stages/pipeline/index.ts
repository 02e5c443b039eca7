/** Pipelines: stages in one file, run in order, skipped when they are up to date. */
export type { Measures, Target } from './kind.js';
export { type LoadPipelineOptions, loadPipeline } from './load.js';
export type { Selection, TaskStatus } from './plan.js';
export type { PipelineReport, TargetReport, TaskReport } from './report.js';
export { planPipeline, runPipeline } from './run.js';
export type { Pipeline } from './tasks.js';
