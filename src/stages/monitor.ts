/** Turns training steps into progress events and lines of metrics. */
import type { LoopStep, MetricsLog } from '../train/index.js';
import { addScores, LOGITS, NO_SCORES, type Quality, score } from '../train/index.js';
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
  /** Sums over images of the other numbers that steps give, and of the losses by label. */
  #parts = new Means();
  #labels = new Means();
  #milliseconds = 0;
  /** Milliseconds of waiting for batches. */
  #waited = 0;
  /** Of all reports. */
  #images = 0;
  #trained = 0;
  #waitedInAll = 0;
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

  /** Share of that time that was spent waiting for batches, 0..1; 0 before the first report. */
  get dataWait(): number {
    return this.#trained === 0 ? 0 : this.#waitedInAll / this.#trained;
  }

  /** Stops the clock while something else than training is done. */
  pause(): void {
    this.#milliseconds += this.#now() - this.#mark;
  }

  /** Starts the clock again after `pause`. */
  resume(): void {
    this.#mark = this.#now();
  }

  /** `result.outputs` holds `LOGITS [batch, classes]`; every other output of one number is a part of the loss. */
  step({ step, epoch, learningRate, batch, result, dataWait: waited, label }: LoopStep): void {
    const { context, metrics, steps, classes, logEvery } = this.#options;
    const logits = result.outputs.get(LOGITS) as Float32Array;
    this.#scores = addScores(this.#scores, score(logits, batch.labels, classes, batch.size));
    this.#loss += result.loss * batch.size;
    this.#waited += waited;
    for (const [name, values] of result.outputs) {
      if (name !== LOGITS && values.length === 1) this.#parts.add(name, values[0], batch.size);
    }
    if (label !== undefined) this.#labels.add(`loss_${label}`, result.loss, batch.size);
    if (step % logEvery !== 0 && step !== steps) return;

    this.pause();
    this.resume();
    const { images, top1 } = this.#scores;
    this.#images += images;
    this.#trained += this.#milliseconds;
    this.#waitedInAll += this.#waited;
    const dataWait = this.#waited / this.#milliseconds;
    const imagesPerSecond = (images * 1000) / this.#milliseconds;
    const loss = this.#loss / images;
    const accuracy = top1 / images;
    const etaSeconds = ((steps - step) * this.#options.batch) / imagesPerSecond;
    const parts = this.#parts.take();
    const told = Object.keys(parts).length > 0 ? { parts } : {};
    const rate = { learningRate, imagesPerSecond, dataWait, etaSeconds };
    context.emit({ type: 'step', step, steps, epoch, loss, ...told, accuracy, ...rate });
    metrics.write({
      step,
      epoch,
      loss,
      ...parts,
      ...this.#labels.take(),
      accuracy,
      learning_rate: learningRate,
      ...(result.gradientNorm === undefined ? {} : { gradient_norm: result.gradientNorm }),
      images_per_second: Math.round(imagesPerSecond * 10) / 10,
      data_wait: Math.round(dataWait * 1000) / 1000,
    });
    this.#scores = NO_SCORES;
    this.#loss = 0;
    this.#milliseconds = 0;
    this.#waited = 0;
  }

  /** The evaluation before the first step. */
  evaluatedAtStart({ top1, top5, loss, images }: Quality): void {
    const { context, metrics } = this.#options;
    const share = (value: number) => `${(100 * value).toFixed(1)} %`;
    const text = `before the first step: top-1 ${share(top1)}, top-5 ${share(top5)}, loss ${loss.toFixed(4)} on ${images} images`;
    context.emit({ type: 'note', text });
    metrics.write({ step: 0, epoch: 0, test_top1: top1, test_top5: top5, test_loss: loss, test_images: images });
  }

  evaluated(epoch: number, step: number, { top1, top5, loss, images }: Quality): void {
    const { context, metrics } = this.#options;
    context.emit({ type: 'evaluated', epoch, top1, top5, loss, images });
    metrics.write({ step, epoch, test_top1: top1, test_top5: top5, test_loss: loss, test_images: images });
  }
}

/** Running means by name, each over the images that it was given for. */
class Means {
  readonly #sums = new Map<string, { total: number; images: number }>();

  add(name: string, mean: number, images: number): void {
    const sum = this.#sums.get(name) ?? { total: 0, images: 0 };
    this.#sums.set(name, { total: sum.total + mean * images, images: sum.images + images });
  }

  /** The means so far, sorted by name; the next ones begin anew. */
  take(): Record<string, number> {
    const entries = [...this.#sums].map(([name, { total, images }]) => [name, total / images] as const);
    this.#sums.clear();
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
