/** What a command that trains prints in the end. */
import { count, duration, share, waitText } from './progress-text.js';
import { renderPairs } from './table.js';

/** What every training gives. */
export interface TrainedFacts {
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
  readonly steps: number;
  readonly epochs: number;
  readonly seconds: number;
  readonly imagesPerSecond: number;
  readonly dataWait: number;
  readonly engine: string;
  readonly device: string;
  readonly brokenImages?: number | undefined;
  readonly best?: { readonly step: number; readonly top1: number; readonly model: string } | undefined;
}

/** What a training of one model gives. */
export interface TrainingFacts extends TrainedFacts {
  readonly model: string;
  readonly parameters: number;
}

export type Row = readonly [name: string, text: string];

function bestRow({ step, top1, model }: NonNullable<TrainedFacts['best']>): Row {
  return ['best', `${share(top1)} after step ${step}, ${model}`];
}

/** @param more facts of one command, put behind the number of parameters */
export function renderTraining(result: TrainingFacts, more: readonly Row[] = []): string {
  return renderTrained(result, [['model', result.model]], [['parameters', String(result.parameters)], ...more]);
}

/**
 * @param made paths of what was written
 * @param more facts of one command, put behind the accuracies
 */
export function renderTrained(result: TrainedFacts, made: readonly Row[], more: readonly Row[]): string {
  // A run that had nothing left to train has no speed.
  const { imagesPerSecond, dataWait } = result;
  const speed = imagesPerSecond > 0 ? `, ${Math.round(imagesPerSecond)} images/s` : '';
  return renderPairs([
    ...made,
    ['top-1', share(result.top1)],
    ['top-5', share(result.top5)],
    ['loss', result.loss.toFixed(4)],
    ...(result.best ? [bestRow(result.best)] : []),
    ...more,
    ['trained', `${count(result.steps, 'step')}, ${count(result.epochs, 'epoch')}`],
    ...(result.brokenImages ? [['left out', count(result.brokenImages, 'broken image')] as const] : []),
    ['time', duration(result.seconds) + speed + waitText(dataWait)],
    ['engine', `${result.engine}/${result.device}`],
  ]);
}
