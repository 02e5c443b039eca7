/** What a running command gets besides its arguments: notes on stderr, progress, the signal to stop. */
import type { Arguments } from './arguments.js';
import type { Command, Session } from './command.js';
import type { Interruption } from './interruption.js';
import type { Io } from './io.js';
import type { Progress, ProgressMode } from './progress.js';

/** Opens the session of one command; `close` ends its progress output. */
export function openSession(
  args: Arguments,
  command: Pick<Command, 'flags'>,
  words: readonly string[],
  io: Io,
  interruption: Interruption,
): { readonly session: Session; readonly close: () => void } {
  const quiet = args.has('quiet');
  let progress: Progress | undefined;
  const warn = (text: string) => {
    if (!quiet) io.stderr.write(`wave: ${text}\n`);
  };
  const session: Session = {
    warn,
    async startStage() {
      const { openProgress } = await import('./progress.js');
      // A command that is done in a moment has no progress to choose, and yet notes to show.
      const hasProgress = command.flags.some((flag) => flag.name === 'progress');
      const chosen = hasProgress ? (args.needText('progress') as ProgressMode) : 'plain';
      const mode = quiet ? 'none' : chosen;
      const opened = await openProgress({ mode, stream: io.stderr, env: io.env, now: io.now });
      progress = opened;
      const signal = interruption.guardStage(() =>
        warn('stopping as soon as all is saved; once more to stop without saving'),
      );
      return { emit: (event) => opened.emit(event), signal, command: commandLine(words) };
    },
  };
  return { session, close: () => progress?.close() };
}

/** The call as it could be typed again. */
export function commandLine(words: readonly string[]): string {
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ['wave', ...quoted].join(' ');
}
