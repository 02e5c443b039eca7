/** Problems with a configuration are collected, sorted by place and thrown together as one `ConfigError`. */
import { ConfigError } from '../base/errors.js';
import type { Origin } from './tree.js';

/** One thing wrong with the configuration: one line for the user. */
export interface Problem {
  readonly origin: Origin;
  /** The setting concerned, or '' where the trouble is not with one setting. */
  readonly path: string;
  /** The rule, and what was found. */
  readonly message: string;
}

/** Longest piece of the user's text that a message repeats, in characters. */
const MAX_QUOTED_CHARS = 60;

/** `text` in double quotes, escaped to one line and shortened if long. */
export function quoted(text: string): string {
  const short = text.length > MAX_QUOTED_CHARS ? `${text.slice(0, MAX_QUOTED_CHARS)}...` : text;
  return JSON.stringify(short);
}

function lineOf(problem: Problem): string {
  return [problem.origin.text, problem.path, problem.message].filter((part) => part !== '').join(': ');
}

/** @throws {ConfigError} one line per problem in the order of the places, if there is any. */
export function throwProblems(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const sorted = [...problems].sort(
    (a, b) => a.origin.layer - b.origin.layer || a.origin.line - b.origin.line || a.origin.column - b.origin.column,
  );
  throw new ConfigError([...new Set(sorted.map(lineOf))].join('\n'));
}
