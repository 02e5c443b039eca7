/** The best model of a run so far, by top-1 on the test split: kept in a file of its own as training goes on. */
import { existsSync } from 'node:fs';

/** An evaluation. */
export interface BestEvaluation {
  /** Training steps done. */
  readonly step: number;
  /** 0..1 */
  readonly top1: number;
}

/** What a stage gives to have its best model kept. */
export interface BestWriter {
  /** Writes, atomically, the model that has just been evaluated, after `step` steps. */
  readonly save: (path: string, step: number) => Promise<void>;
}

export class BestModel {
  readonly #path: string;
  readonly #writer: BestWriter;
  #best: BestEvaluation | undefined;

  /**
   * @param known the best evaluation of the run that is gone on with; it counts as long as its model is there
   */
  constructor(path: string, writer: BestWriter, known: BestEvaluation | undefined) {
    this.#path = path;
    this.#writer = writer;
    this.#best = existsSync(path) ? known : undefined;
  }

  get best(): BestEvaluation | undefined {
    return this.#best;
  }

  /** Keeps the model that was evaluated so, if it is better than all before it. */
  async offer(evaluation: BestEvaluation): Promise<void> {
    if (this.#best && evaluation.top1 <= this.#best.top1) return;
    await this.#writer.save(this.#path, evaluation.step);
    this.#best = evaluation;
  }
}
