/** Stand-in with the signature of the stage, so that the command line compiles; the stage itself replaces this file. */
import { z } from 'zod';
import type { StageContext } from './context.js';

export interface PretrainConfig {
  readonly seed: number;
}

export interface PretrainResult {
  readonly model: string;
  readonly steps: number;
  readonly epochs: number;
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
  readonly parameters: number;
  readonly imagesPerSecond: number;
  readonly seconds: number;
  readonly engine: string;
  readonly device: string;
}

export const pretrainSchema: z.ZodType<PretrainConfig> = z.strictObject({ seed: z.int().min(0).default(0) });

export async function pretrain(
  _config: PretrainConfig,
  _out: { readonly dir: string; readonly force: boolean },
  _context: StageContext,
): Promise<PretrainResult> {
  throw new Error('the pretrain stage is not there');
}
