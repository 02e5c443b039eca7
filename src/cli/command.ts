/**
 * What a subcommand is: data (positionals, flags, examples) and one function. The parser, the help and the tests read
 * the data; only `run` does work, and it imports what it needs itself so that starting stays cheap.
 */
import type { WaveError } from '../base/errors.js';
import type { StageContext } from '../stages/context.js';
import type { Arguments } from './arguments.js';

/** Headings of the help, in the order in which they are shown. */
export const FLAG_GROUPS = ['Input', 'Configuration', 'Options', 'Preprocessing', 'Engine', 'Output'] as const;

/** One `--name`. Every flag but a boolean takes a value; a `list` may be given several times. */
export interface Flag {
  readonly name: string;
  readonly type: 'boolean' | 'string' | 'integer' | 'number' | 'list';
  /** Placeholder of the value in the help, for example `FILE`. */
  readonly value?: string;
  readonly description: string;
  readonly group: (typeof FLAG_GROUPS)[number];
  readonly choices?: readonly string[];
  /** Value when the flag is not given, as it would be typed. */
  readonly default?: string;
  readonly required?: boolean;
  /** Inclusive limits of a numeric flag. */
  readonly min?: number;
  readonly max?: number;
}

/** An argument without a name. Only the last one may be variadic. */
export interface Positional {
  readonly name: string;
  readonly description: string;
  readonly variadic?: boolean;
  /** It may be left out; the command says what is needed in its place. */
  readonly optional?: boolean;
}

/** A list that only one command has in its help, `methods` for example. */
export interface Section {
  readonly title: string;
  readonly rows: readonly (readonly [name: string, text: string])[];
}

/** A command line that works as typed, and what it is for. */
export interface Example {
  readonly command: string;
  readonly purpose: string;
}

/** What a command hands back to be printed: `data` with `--json`, `text` without. */
export interface Outcome {
  readonly data: unknown;
  readonly text: string;
  /** The result is printed, and then this error: a check that did not hold, for example. */
  readonly failure?: WaveError;
}

/** What a command gets besides its arguments. */
export interface Session {
  /** Starts progress output and hands the stage its context. From here on the first signal aborts instead of ending. */
  startStage(): Promise<StageContext>;
  /** Prints a line to stderr unless `--quiet`. */
  warn(text: string): void;
}

/** One subcommand. */
export interface Command {
  readonly positionals: readonly Positional[];
  readonly flags: readonly Flag[];
  /** Shown between the flags and the examples. */
  readonly sections?: readonly Section[];
  readonly examples: readonly Example[];
  readonly run: (args: Arguments, session: Session) => Promise<Outcome>;
}
