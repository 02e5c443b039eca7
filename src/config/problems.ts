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

function shortened(text: string): string {
  return text.length > MAX_QUOTED_CHARS ? `${text.slice(0, MAX_QUOTED_CHARS)}...` : text;
}

/** `text` in double quotes, escaped to one line and shortened if long. */
export function quoted(text: string): string {
  return JSON.stringify(shortened(text));
}

/** `text` as it is, but shortened if long and with line breaks and other control characters escaped. */
export function oneLine(text: string): string {
  return shortened(text).replaceAll(/[\p{Cc}\u2028\u2029]/gu, (character) =>
    character === '\n' ? '\\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A path as people write it: `train.lr`, `stages.0.kind`; a key that would be misread is quoted. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.map((key) => (/^[\w-]{1,60}$/.test(String(key)) ? String(key) : quoted(String(key)))).join('.');
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
