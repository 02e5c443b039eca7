/** Stand-in with the signature of the stage, so that the command line compiles; the stage itself replaces this file. */
import type { StageContext } from './context.js';

export interface PredictOptions {
  readonly model: string;
  readonly inputs: readonly string[];
  readonly heads?: number;
  readonly top: number;
  readonly logitsOut?: string;
  readonly engine?: { readonly name?: string; readonly device?: string; readonly threads?: number };
}

export interface PredictResult {
  readonly classes: number;
  readonly predictions: readonly {
    readonly input: string;
    readonly index: number;
    readonly top: readonly { readonly label: string; readonly class: number; readonly probability: number }[];
  }[];
}

export async function predict(_options: PredictOptions, _context: StageContext): Promise<PredictResult> {
  throw new Error('the predict stage is not there');
}
