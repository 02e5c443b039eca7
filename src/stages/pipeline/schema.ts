/** The top of a pipeline file. What stands in a stage is checked against the schema of its kind (load.ts). */
import { z } from 'zod';

const size = z.int().min(1);

const targetSchema = z.strictObject({
  depth: size.describe('blocks'),
  width: size.describe('size of a token'),
  heads: size.optional().describe('attention heads; default: as many as keep the size of a head'),
  name: z.string().optional().describe('folder and row of the target; default: WIDTHxDEPTH'),
});

/** Any mapping; its keys are checked in the stages that use it. */
const block = z.record(z.string(), z.unknown());

/** Blocks at the top that every stage which has them starts from. */
const commonBlocks = {
  data: block.optional(),
  model: block.optional(),
  train: block.optional(),
  eval: block.optional(),
  engine: block.optional(),
  onnx: block.optional(),
};

/** Keys at the top that stages start from. */
export const COMMON_KEYS = ['seed', ...Object.keys(commonBlocks)];

export const pipelineSchema = z.strictObject({
  out: z.string().min(1).optional().describe('folder of all results; default: runs/NAME for NAME.yaml'),
  seed: z.int().min(0).default(0).describe('seed of everything random'),
  ...commonBlocks,
  targets: z.array(targetSchema).default([]),
  stages: z.record(z.string(), block),
});

/** A target as written. */
export type TargetConfig = z.output<typeof targetSchema>;
