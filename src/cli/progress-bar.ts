/** Progress as one live line on a terminal, drawn by ora. */
import ora from 'ora';
import type { StageEvent } from '../stages/context.js';
import type { Io } from './io.js';
import type { Progress } from './progress.js';
import { evaluatedText, evaluatingText, stepText } from './progress-text.js';

/** Cells of the bar; with the text it fits a terminal of 120 columns. */
const BAR_CELLS = 16;

/** Starts the live line on `stream`, which must be a terminal. */
export function openBar(stream: Io['stderr'], { colour }: { readonly colour: boolean }): Progress {
  const spinner = ora({
    stream,
    isEnabled: true,
    color: colour ? 'cyan' : false,
    // ora would swallow the keyboard, Ctrl-C included.
    discardStdin: false,
  }).start('starting');
  let phase = '';
  const line = (text: string) => {
    spinner.clear();
    stream.write(`${text}\n`);
  };
  const emit = (event: StageEvent): void => {
    switch (event.type) {
      case 'phase':
        phase = event.text;
        spinner.text = phase;
        break;
      case 'note':
        line(event.text);
        break;
      case 'warning':
        line(`warning: ${event.text}`);
        break;
      case 'step':
        spinner.text = `${phase} ${bar(event.step, event.steps)} ${stepText(event)}`.trimStart();
        break;
      case 'evaluating':
        spinner.text = `${phase} ${bar(event.done, event.total)} ${evaluatingText(event)}`.trimStart();
        break;
      case 'evaluated':
        line(evaluatedText(event));
        break;
      default:
        event satisfies never;
    }
  };
  return { emit, close: () => void spinner.stop() };
}

function bar(done: number, total: number): string {
  const filled = total > 0 ? Math.min(BAR_CELLS, Math.floor((BAR_CELLS * done) / total)) : BAR_CELLS;
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_CELLS - filled)}]`;
}
