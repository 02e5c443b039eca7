/** What a command that trains prints in the end. */
import { duration, share } from './progress-text.js';
import { renderPairs } from './table.js';

/** What every training gives. */
export interface TrainingFacts {
  readonly model: string;
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
  readonly parameters: number;
  readonly steps: number;
  readonly epochs: number;
  readonly seconds: number;
  readonly imagesPerSecond: number;
  readonly engine: string;
  readonly device: string;
}

/** @param more facts of one command, put behind the number of parameters */
export function renderTraining(result: TrainingFacts, more: readonly [string, string][] = []): string {
  // A run that had nothing left to train has no speed.
  const speed = result.imagesPerSecond > 0 ? `, ${Math.round(result.imagesPerSecond)} images/s` : '';
  return renderPairs([
    ['model', result.model],
    ['top-1', share(result.top1)],
    ['top-5', share(result.top5)],
    ['loss', result.loss.toFixed(4)],
    ['parameters', String(result.parameters)],
    ...more,
    ['trained', `${count(result.steps, 'step')}, ${count(result.epochs, 'epoch')}`],
    ['time', duration(result.seconds) + speed],
    ['engine', `${result.engine}/${result.device}`],
  ]);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
