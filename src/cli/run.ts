/**
 * One call of the command line: which command, its arguments, its result or error, the exit code. Needs no process, so
 * tests can run it as it is.
 */
import { ConfigError } from '../base/errors.js';
import { toolVersion } from '../base/version.js';
import type { Outcome } from './command.js';
import { commandHelp, overviewHelp } from './help.js';
import type { Interruption } from './interruption.js';
import type { Io, OutputStream } from './io.js';
import { COMMANDS, type CommandEntry } from './registry.js';
import { describeError, reportError, writeErrorLines } from './report-error.js';
import { didYouMean } from './suggest.js';

/**
 * Runs `words`, the command line after `wave`, and returns the exit code. Never throws.
 * @param commands what there is to run; the tests bring their own.
 */
export async function run(
  words: readonly string[],
  io: Io,
  interruption: Interruption,
  commands: readonly CommandEntry[] = COMMANDS,
): Promise<number> {
  const options = words.slice(0, words.includes('--') ? words.indexOf('--') : words.length);
  try {
    if (words.length === 0) {
      io.stderr.write(overviewHelp(commands, toolVersion(), columnsOf(io.stderr)));
      return 2;
    }
    if (options[0] === '--version') {
      io.stdout.write(`${toolVersion()}\n`);
      return 0;
    }
    // As git and npm have it: `wave help COMMAND`.
    if (words[0] === 'help') return run([...words.slice(1, 2), '--help'], io, interruption, commands);
    const helpWanted = options.includes('--help') || options.includes('-h');
    if (helpWanted && words[0].startsWith('-')) {
      io.stdout.write(overviewHelp(commands, toolVersion(), columnsOf(io.stdout)));
      return 0;
    }
    const entry = findCommand(words[0], commands);
    if (helpWanted) {
      io.stdout.write(commandHelp(entry, await entry.load(), columnsOf(io.stdout)));
      return 0;
    }
    return print(await execute(entry, words, io, interruption), options.includes('--json'), io);
  } catch (error) {
    return reportError(error, words, io, interruption.exitCode);
  }
}

/** Width of the terminal; 80 where there is none, or where it does not know. */
function columnsOf({ columns }: OutputStream): number {
  return columns === undefined || columns === 0 ? 80 : columns;
}

/** @throws ConfigError if there is no such command. */
function findCommand(name: string, commands: readonly CommandEntry[]): CommandEntry {
  const names = commands.map((command) => command.name);
  if (name.startsWith('-')) {
    const hint = didYouMean(name, ['--help', '--version']);
    throw new ConfigError(`flag ${name} stands where a command should be${hint}; see wave --help`);
  }
  const entry = commands.find((command) => command.name === name);
  if (entry === undefined) {
    throw new ConfigError(`unknown command "${name}"${didYouMean(name, names)}; see wave --help`);
  }
  return entry;
}

async function execute(
  entry: CommandEntry,
  words: readonly string[],
  io: Io,
  interruption: Interruption,
): Promise<Outcome> {
  const [command, { parseArguments }, { openSession }] = await Promise.all([
    entry.load(),
    import('./parse.js'),
    import('./session.js'),
  ]);
  const args = await parseArguments(entry.name, command, words.slice(1));
  const { session, close } = openSession(args, command, words, io, interruption);
  try {
    return await command.run(args, session);
  } finally {
    close();
  }
}

/** Prints the result, then what did not hold. */
function print(outcome: Outcome, json: boolean, io: Io): number {
  const { failure } = outcome;
  if (json) {
    const head = failure === undefined ? { ok: true } : { ok: false, error: describeError(failure) };
    io.stdout.write(`${JSON.stringify({ ...head, result: outcome.data })}\n`);
  } else {
    io.stdout.write(outcome.text.endsWith('\n') ? outcome.text : `${outcome.text}\n`);
  }
  if (failure === undefined) return 0;
  writeErrorLines(describeError(failure), io);
  return failure.exitCode;
}
