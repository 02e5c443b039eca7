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
  /** Steps done before this process began. */
  readonly startStep: number;
}

export class Monitor {
  readonly #options: MonitorOptions;
  #scores = NO_SCORES;
  #loss = 0;
  #since = { step: 0, time: performance.now() };
  /** Milliseconds spent in training, evaluations left out. */
  #trained = 0;
  #step: number;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#step = options.startStep;
    this.#since = { step: options.startStep, time: performance.now() };
  }

  /** Images per second over all steps of this process. */
  get imagesPerSecond(): number {
    const done = this.#step - this.#options.startStep;
    return done === 0 ? 0 : (done * this.#options.batch * 1000) / this.#trained;
  }

  /** To be called when training goes on after something else. */
  restartClock(): void {
    this.#since = { step: this.#step, time: performance.now() };
  }

  step({ step, epoch, learningRate, batch, result }: LoopStep, logits: Float32Array): void {
    const { context, metrics, steps, classes, logEvery } = this.#options;
    this.#step = step;
    this.#scores = addScores(this.#scores, score(logits, batch.labels, classes, batch.size));
    this.#loss += result.loss * batch.size;
    if (step % logEvery !== 0 && step !== steps) return;

    const now = performance.now();
    const elapsed = now - this.#since.time;
    this.#trained += elapsed;
    const imagesPerSecond = (this.#scores.images * 1000) / elapsed;
    const loss = this.#loss / this.#scores.images;
    const accuracy = this.#scores.top1 / this.#scores.images;
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
    this.#since = { step, time: now };
  }

  evaluated(epoch: number, step: number, { top1, top5, loss, images }: Quality): void {
    const { context, metrics } = this.#options;
    context.emit({ type: 'evaluated', epoch, top1, top5, loss, images });
    metrics.write({ step, epoch, test_top1: top1, test_top5: top5, test_loss: loss, test_images: images });
  }
}
