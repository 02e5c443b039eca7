/** Turns training steps into progress events and lines of metrics. */
import type { LoopStep, MetricsLog } from '../train/index.js';
import { addScores, NO_SCORES, type Quality, score } from '../train/index.js';
import type { StageContext } from './context.js';

export interface MonitorOptions {
  readonly context: StageContext;
  readonly metrics: MetricsLog;
  readonly steps: number;
  readonly batch: number;
  readonly classes: number;
  readonly logEvery: number;
  /** Milliseconds since some fixed moment. */
  readonly now?: () => number;
}

export class Monitor {
  readonly #options: MonitorOptions;
  readonly #now: () => number;
  /** Since the last report. */
  #scores = NO_SCORES;
  #loss = 0;
  #milliseconds = 0;
  /** Of all reports. */
  #images = 0;
  #trained = 0;
  /** When the clock was started last. */
  #mark: number;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#mark = this.#now();
  }

  /** Images per second of training over all steps reported by this process; 0 before the first report. */
  get imagesPerSecond(): number {
    return this.#images === 0 ? 0 : (this.#images * 1000) / this.#trained;
  }

  /** Stops the clock while something else than training is done. */
  pause(): void {
    this.#milliseconds += this.#now() - this.#mark;
  }

  /** Starts the clock again after `pause`. */
  resume(): void {
    this.#mark = this.#now();
  }

  step({ step, epoch, learningRate, batch, result }: LoopStep, logits: Float32Array): void {
    const { context, metrics, steps, classes, logEvery } = this.#options;
    this.#scores = addScores(this.#scores, score(logits, batch.labels, classes, batch.size));
    this.#loss += result.loss * batch.size;
    if (step % logEvery !== 0 && step !== steps) return;

    this.pause();
    this.resume();
    const { images, top1 } = this.#scores;
    this.#images += images;
    this.#trained += this.#milliseconds;
    const imagesPerSecond = (images * 1000) / this.#milliseconds;
    const loss = this.#loss / images;
    const accuracy = top1 / images;
    const etaSeconds = ((steps - step) * this.#options.batch) / imagesPerSecond;
    context.emit({ type: 'step', step, steps, epoch, loss, accuracy, learningRate, imagesPerSecond, etaSeconds });
    metrics.write({
      step,
      epoch,
      loss,
      accuracy,
      learning_rate: learningRate,
      ...(result.gradientNorm === undefined ? {} : { gradient_norm: result.gradientNorm }),
      images_per_second: Math.round(imagesPerSecond * 10) / 10,
    });
    this.#scores = NO_SCORES;
    this.#loss = 0;
    this.#milliseconds = 0;
  }

  evaluated(epoch: number, step: number, { top1, top5, loss, images }: Quality): void {
    const { context, metrics } = this.#options;
    context.emit({ type: 'evaluated', epoch, top1, top5, loss, images });
    metrics.write({ step, epoch, test_top1: top1, test_top5: top5, test_loss: loss, test_images: images });
  }
}
