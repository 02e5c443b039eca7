/** Stand-in with the signature of the stage, so that the command line compiles; the stage itself replaces this file. */
import { z } from 'zod';
import type { StageContext } from './context.js';

export interface EvaluateConfig {
  readonly seed: number;
}

export interface EvaluateResult {
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
  readonly images: number;
  readonly imagesPerSecond: number;
}

export const evaluateSchema: z.ZodType<EvaluateConfig> = z.strictObject({ seed: z.int().min(0).default(0) });

export async function evaluate(
  _modelPath: string,
  _config: EvaluateConfig,
  _context: StageContext,
): Promise<EvaluateResult> {
  throw new Error('the evaluate stage is not there');
}
