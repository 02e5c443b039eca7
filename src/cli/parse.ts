/**
 * From the words of the command line to checked arguments. yargs splits the words; what is allowed is decided here, so
 * that all problems are reported at once, each with the nearest thing that would have been right.
 */
import { ConfigError } from '../base/errors.js';
import { Arguments, type ArgumentValue } from './arguments.js';
import type { Command, Flag, Positional } from './command.js';
import { didYouMean } from './suggest.js';

/**
 * Parses `words`, the command line after the command's name.
 * @throws ConfigError with one line per problem.
 */
export async function parseArguments(
  name: string,
  command: Pick<Command, 'flags' | 'positionals'>,
  words: readonly string[],
): Promise<Arguments> {
  const { named, plain, after } = await split(command.flags, words);
  const values = new Map<string, ArgumentValue>();
  const problems = unknownFlags(command.flags, [...Object.keys(named).map((key) => `--${key}`), ...plain]);
  const unknown = problems.length > 0;
  for (const flag of command.flags) readFlag(flag, named[flag.name], words, values, problems);
  // What follows an unknown flag may be its value, so plain arguments are only judged when all flags are known.
  if (!unknown) readPositionals(command.positionals, [...plain, ...after], values, problems);
  if (problems.length > 0) {
    throw new ConfigError(`${problems.join('\n')}; see wave ${name} --help`);
  }
  return new Arguments(values);
}

/** Raw values by flag, plain arguments (unknown flags among them), and what follows `--`. */
async function split(flags: readonly Flag[], words: readonly string[]) {
  const { default: yargs } = await import('yargs');
  const ofType = (boolean: boolean) => flags.filter((f) => (f.type === 'boolean') === boolean).map((f) => f.name);
  const parsed: Record<string, unknown> = await yargs()
    .detectLocale(false)
    .help(false)
    .version(false)
    .exitProcess(false)
    .fail(false)
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'populate--': true,
      'short-option-groups': false,
      'unknown-options-as-args': true,
    })
    // Numbers too are read as text: yargs would turn a word into NaN without a complaint.
    .string(ofType(false))
    .boolean(ofType(true))
    .parseAsync([...words]);
  const { _: plain, '--': after, $0: _script, ...named } = parsed;
  return { named, plain: strings(plain), after: strings(after) };
}

function strings(value: unknown): string[] {
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}

function unknownFlags(flags: readonly Flag[], words: readonly string[]): string[] {
  const known = flags.map((flag) => `--${flag.name}`);
  return words
    .filter((word) => word.startsWith('-') && word !== '-')
    .map((word) => word.split('=', 1)[0])
    .filter((word) => !known.includes(word))
    .map((word) => `unknown flag ${word}${didYouMean(word, known)}`);
}

function readFlag(
  flag: Flag,
  raw: unknown,
  words: readonly string[],
  values: Map<string, ArgumentValue>,
  problems: string[],
): void {
  const label = `--${flag.name}`;
  if (flag.type === 'boolean') {
    if (words.some((word) => word.startsWith(`${label}=`))) problems.push(`flag ${label} takes no value`);
    values.set(flag.name, raw === true);
    return;
  }
  const given = strings(raw);
  if (given.includes('')) {
    problems.push(`flag ${label} needs a value: ${label} ${flag.value ?? 'VALUE'}`);
  } else if (flag.type === 'list') {
    values.set(flag.name, given);
  } else if (given.length > 1) {
    problems.push(`flag ${label} is given ${given.length} times; give it once`);
  } else if (given.length === 1) {
    readValue(flag, given[0], values, problems);
  } else if (flag.default !== undefined) {
    readValue(flag, flag.default, values, problems);
  } else if (flag.required === true) {
    problems.push(`flag ${label} ${flag.value ?? 'VALUE'} is missing`);
  }
}

function readValue(flag: Flag, text: string, values: Map<string, ArgumentValue>, problems: string[]): void {
  const label = `--${flag.name}`;
  if (flag.type === 'string') {
    if (flag.choices !== undefined && !flag.choices.includes(text)) {
      problems.push(
        `flag ${label} must be one of ${flag.choices.join(', ')}; found "${text}"${didYouMean(text, flag.choices)}`,
      );
    }
    values.set(flag.name, text);
    return;
  }
  const number = text.trim() === '' ? Number.NaN : Number(text);
  const right = flag.type === 'integer' ? Number.isSafeInteger(number) : Number.isFinite(number);
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = flag;
  if (!right || number < min || number > max) {
    problems.push(`flag ${label} must be ${numberRule(flag)}; found "${text}"`);
  }
  values.set(flag.name, number);
}

function numberRule({ type, min, max }: Flag): string {
  const kind = type === 'integer' ? 'a whole number' : 'a number';
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  if (min !== undefined) return `${kind}, ${min} or more`;
  return max === undefined ? kind : `${kind}, ${max} or less`;
}

function readPositionals(
  positionals: readonly Positional[],
  given: readonly string[],
  values: Map<string, ArgumentValue>,
  problems: string[],
): void {
  let next = 0;
  for (const { name, variadic, optional, description } of positionals) {
    const mine = variadic === true ? given.slice(next) : given.slice(next, next + 1);
    next += mine.length;
    if (mine.length === 0 && optional === true) continue;
    if (mine.length === 0 || mine.includes('')) problems.push(`${name.toUpperCase()} is missing: ${description}`);
    else values.set(name, variadic === true ? mine : mine[0]);
  }
  for (const extra of given.slice(next)) problems.push(`unexpected argument "${extra}"`);
}
