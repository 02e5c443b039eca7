/** Progress of a stage on stderr: a live line on a terminal, plain lines elsewhere, or nothing. */
import type { StageEvent } from '../stages/context.js';
import type { Io } from './io.js';

/** Values of `--progress`. */
export type ProgressMode = 'auto' | 'none' | 'plain' | 'bar';

/** Something that shows the events of a stage. */
export interface Progress {
  emit(event: StageEvent): void;
  /** Ends the live line and gives the cursor back. */
  close(): void;
}

/** Where progress goes, and the clock that spaces its lines. */
export interface ProgressOptions {
  readonly mode: ProgressMode;
  readonly stream: Io['stderr'];
  readonly env: Io['env'];
  /** Milliseconds. */
  readonly now: Io['now'];
}

/** Chooses how to show progress. A bar needs a terminal: without one it becomes plain lines. */
export async function openProgress({ mode, stream, env, now }: ProgressOptions): Promise<Progress> {
  if (mode === 'none') return { emit: () => {}, close: () => {} };
  // Some pseudo-terminals (containers, remote jobs) say that they are 0 columns wide; ora would count infinitely many
  // lines to clear on them.
  const wide = stream.columns === undefined || stream.columns > 0;
  const terminal = stream.isTTY === true && wide && env.TERM !== 'dumb';
  // Logs of build servers keep every frame of a live line, even where they pretend to be a terminal.
  const bar = terminal && (mode === 'bar' || (mode === 'auto' && !isSet(env.CI)));
  if (!bar) return new (await import('./progress-plain.js')).PlainProgress(stream, now);
  const { openBar } = await import('./progress-bar.js');
  return openBar(stream, { colour: !isSet(env.NO_COLOR) });
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== 'false' && value !== '0';
}
