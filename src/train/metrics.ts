/** `metrics.jsonl`: one JSON object a line, appended as training goes. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { writeFileAtomically } from '../base/atomic-write.js';

/** One line of the file. */
export type Metrics = Readonly<Record<string, number | string>>;

export class MetricsLog {
  readonly #file: number;

  private constructor(file: number) {
    this.#file = file;
  }

  /** Starts a new file, or replaces one. */
  static create(path: string): MetricsLog {
    return new MetricsLog(openSync(path, 'w', 0o644));
  }

  /** Continues a file after `step`: later lines, of steps that will be done again, are dropped. */
  static async resume(path: string, step: number): Promise<MetricsLog> {
    const kept = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => isUpTo(line, step));
    await writeFileAtomically(path, kept.map((line) => `${line}\n`).join(''));
    return new MetricsLog(openSync(path, 'a', 0o644));
  }

  write(metrics: Metrics): void {
    writeSync(this.#file, `${JSON.stringify(metrics)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Whether a line is whole and belongs to a step up to `step`; a kill may have cut the last one. */
function isUpTo(line: string, step: number): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'step' in value && Number(value.step) <= step;
  } catch {
    return false;
  }
}
