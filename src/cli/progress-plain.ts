/** Progress as plain lines, for logs and pipes: few of them, each readable on its own. */
import type { StageEvent } from '../stages/context.js';
import type { Io } from './io.js';
import type { Progress } from './progress.js';
import { evaluatedText, evaluatingText, percent, stepText } from './progress-text.js';

/** A new line once this many percent more are done: 20 lines for a short run. */
const PERCENT_PER_LINE = 5;
/** A new line at the latest after this time, so that a long run visibly lives. Milliseconds. */
const LONGEST_SILENCE = 30_000;

/** Writes a line for every event worth one. */
export class PlainProgress implements Progress {
  readonly #stream: Io['stderr'];
  readonly #training: Pace;
  readonly #evaluating: Patience;

  /** `now` gives milliseconds. */
  constructor(stream: Io['stderr'], now: Io['now']) {
    this.#stream = stream;
    this.#training = new Pace(now);
    this.#evaluating = new Patience(now);
  }

  emit(event: StageEvent): void {
    switch (event.type) {
      case 'phase':
      case 'note':
        this.#line(event.text);
        break;
      case 'warning':
        this.#line(`warning: ${event.text}`);
        break;
      case 'step':
        if (this.#training.due(event.step, event.steps)) this.#line(stepText(event));
        break;
      case 'evaluating':
        if (this.#evaluating.due(event.done)) this.#line(evaluatingText(event));
        break;
      case 'evaluated':
        this.#line(evaluatedText(event));
        break;
      default:
        event satisfies never;
    }
  }

  close(): void {}

  #line(text: string): void {
    this.#stream.write(`wave: ${text}\n`);
  }
}

/** Decides whether another line about training is due. The first and the last always are. */
class Pace {
  readonly #now: Io['now'];
  #last: { readonly done: number; readonly total: number; readonly percent: number; readonly time: number } | undefined;

  constructor(now: Io['now']) {
    this.#now = now;
  }

  due(done: number, total: number): boolean {
    const time = this.#now();
    const reached = percent(done, total);
    const last = this.#last;
    const due =
      last === undefined ||
      // It began anew, as the training of another stage does.
      done <= last.done ||
      total !== last.total ||
      (done >= total && last.done < total) ||
      reached >= last.percent + PERCENT_PER_LINE ||
      time - last.time >= LONGEST_SILENCE;
    if (due) this.#last = { done, total, percent: reached, time };
    return due;
  }
}

/**
 * Decides the same for evaluations, which are many and mostly short: a line only after a long silence. Their results
 * have a line of their own.
 */
class Patience {
  readonly #now: Io['now'];
  #done = Number.POSITIVE_INFINITY;
  #time = 0;

  constructor(now: Io['now']) {
    this.#now = now;
  }

  due(done: number): boolean {
    const time = this.#now();
    const isNew = done <= this.#done;
    const due = !isNew && time - this.#time >= LONGEST_SILENCE;
    if (isNew || due) this.#time = time;
    this.#done = done;
    return due;
  }
}
