/** `metrics.jsonl`: one JSON object a line, appended as training goes. */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { WriteError, writeFileAtomically } from '../base/atomic-write.js';
import { explainIoError } from '../base/io-error.js';

/** One line of the file. Every line has the steps done as `step`; one of an evaluation also has `test_top1`. */
export type Metrics = Readonly<Record<string, number | string>>;

/** An open `metrics.jsonl`. */
export class MetricsLog {
  readonly #path: string;
  readonly #file: number;
  #evaluated: number | undefined;
  #startTop1: number | undefined;
  #best: { readonly step: number; readonly top1: number } | undefined;

  private constructor(path: string, flag: 'w' | 'a') {
    this.#path = path;
    this.#file = explained(path, () => openSync(path, flag, 0o644));
  }

  /**
   * Starts a new file, or replaces one.
   *
   * @throws WriteError
   */
  static create(path: string): MetricsLog {
    return new MetricsLog(path, 'w');
  }

  /**
   * Continues a file after `step`: later lines, of steps that will be done again, and one that was cut are dropped.
   *
   * @throws WriteError
   */
  static async resume(path: string, step: number): Promise<MetricsLog> {
    const text = existsSync(path) ? explained(path, () => readFileSync(path, 'utf8')) : '';
    const kept = text.split('\n').flatMap((line) => {
      const metrics = parseLine(line);
      return metrics !== undefined && Number(metrics.step) <= step ? [{ line, metrics }] : [];
    });
    await writeFileAtomically(path, kept.map(({ line }) => `${line}\n`).join(''));
    const log = new MetricsLog(path, 'a');
    for (const { metrics } of kept) log.#remember(metrics);
    return log;
  }

  /** Steps done at the last evaluation in the file. */
  get evaluatedStep(): number | undefined {
    return this.#evaluated;
  }

  /** `test_top1` of the evaluation before the first step, if there was one. */
  get startTop1(): number | undefined {
    return this.#startTop1;
  }

  /** The evaluation with the highest `test_top1`, of equal ones the first; that before the first step does not count. */
  get best(): { readonly step: number; readonly top1: number } | undefined {
    return this.#best;
  }

  /** @throws WriteError */
  write(metrics: Metrics): void {
    this.#remember(metrics);
    explained(this.#path, () => writeSync(this.#file, `${JSON.stringify(metrics)}\n`));
  }

  #remember({ step, test_top1 }: Metrics): void {
    if (test_top1 === undefined) return;
    const [done, top1] = [Number(step), Number(test_top1)];
    this.#evaluated = done;
    if (done === 0) this.#startTop1 = top1;
    else if (!this.#best || top1 > this.#best.top1) this.#best = { step: done, top1 };
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** A whole line; undefined for the empty end of the file, and for a line that a kill has cut. */
function parseLine(line: string): Metrics | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'step' in value ? (value as Metrics) : undefined;
  } catch {
    return undefined;
  }
}

function explained<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new WriteError(path, explainIoError(error), { cause: error });
  }
}
