/** `metrics.jsonl`: one JSON object a line, appended as training goes. */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { WriteError, writeFileAtomically } from '../base/atomic-write.js';
import { explainIoError } from '../base/io-error.js';

/** One line of the file. Every line has the steps done as `step`; one of an evaluation also has `test_top1`. */
export type Metrics = Readonly<Record<string, number | string>>;

export class MetricsLog {
  readonly #path: string;
  readonly #file: number;
  #evaluated: number | undefined;

  private constructor(path: string, flag: 'w' | 'a', evaluated?: number) {
    this.#path = path;
    this.#evaluated = evaluated;
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
    const last = kept.findLast(({ metrics }) => 'test_top1' in metrics)?.metrics.step;
    return new MetricsLog(path, 'a', last === undefined ? undefined : Number(last));
  }

  /** Steps done at the last evaluation in the file. */
  get evaluatedStep(): number | undefined {
    return this.#evaluated;
  }

  /** @throws WriteError */
  write(metrics: Metrics): void {
    if ('test_top1' in metrics) this.#evaluated = Number(metrics.step);
    explained(this.#path, () => writeSync(this.#file, `${JSON.stringify(metrics)}\n`));
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
