/**
 * The help texts, rendered from the command data. yargs could do it too, but loading yargs takes longer than starting
 * Node, and `wave --help` should answer at once.
 */
import { type Command, FLAG_GROUPS, type Flag } from './command.js';
import type { CommandEntry } from './registry.js';

/** Text wider than this is hard to read, narrower than this there is no room for two columns. Both in columns. */
const WIDEST = 100;
const NARROWEST = 60;
/** A label longer than this gets a line of its own. In columns. */
const LONGEST_LABEL = 26;

const GROUP_TITLES: Record<CommandEntry['group'], string> = {
  Train: 'Train models:',
  Use: 'Use models:',
  Look: 'Look into things:',
};

const PURPOSE =
  'condenses a pre-trained Vision Transformer into shared weight templates and initialises models of any depth and ' +
  'width from them.';
const EXIT_CODES =
  'Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 a check did not hold, 130 or 143 interrupted.';

/** Overview of all commands; `columns` is the width of the terminal. */
export function overviewHelp(commands: readonly CommandEntry[], version: string, columns: number): string {
  const groups = [...new Set(commands.map((command) => command.group))].map((group) => {
    const rows = commands.filter((c) => c.group === group).map((c): Row => [c.name, c.summary]);
    return section(GROUP_TITLES[group], rows, columns);
  });
  return [
    'Usage: wave COMMAND [ARGUMENTS] [FLAGS]\n',
    `${paragraph(`wave ${version} ${PURPOSE}`, columns)}\n`,
    ...groups,
    section(
      'Flags:',
      [
        ['--help', 'Show this help, or that of a command: wave COMMAND --help'],
        ['--version', 'Print the version'],
      ],
      columns,
    ),
    section(
      'Examples:',
      [
        ['wave doctor', 'Is this machine ready?'],
        ['wave pretrain --help', 'What can be trained, and how?'],
      ],
      columns,
    ),
    `${paragraph(EXIT_CODES, columns)}\n`,
  ].join('\n');
}

/** Help of one command: usage, arguments, flags by group, examples. */
export function commandHelp(entry: CommandEntry, command: Command, columns: number): string {
  const positionals = command.positionals.map(({ name, variadic, optional }) => {
    const text = name.toUpperCase() + (variadic === true ? '...' : '');
    return optional === true ? `[${text}]` : text;
  });
  const needed = command.flags.filter((flag) => flag.required === true).map(label);
  const parts = [
    `Usage: wave ${[entry.name, ...positionals, ...needed].join(' ')} [FLAGS]\n`,
    `${paragraph(`${entry.summary}.`, columns)}\n`,
  ];
  if (positionals.length > 0) {
    const rows = command.positionals.map((p, i): Row => [positionals[i], p.description]);
    parts.push(section('Arguments:', rows, columns));
  }
  for (const group of FLAG_GROUPS) {
    const flags = command.flags.filter((flag) => flag.group === group);
    if (flags.length > 0) {
      parts.push(
        section(
          `${group}:`,
          flags.map((flag): Row => [label(flag), describe(flag)]),
          columns,
        ),
      );
    }
  }
  for (const { title, rows } of command.sections ?? []) parts.push(section(`${title}:`, rows, columns));
  const examples = command.examples.map((example) => `  # ${example.purpose}\n  ${example.command}\n`);
  parts.push(`Examples:\n${examples.join('\n')}`);
  return parts.join('\n');
}

type Row = readonly [label: string, text: string];

function label(flag: Flag): string {
  return flag.type === 'boolean' ? `--${flag.name}` : `--${flag.name} ${flag.value ?? 'VALUE'}`;
}

function describe(flag: Flag): string {
  const notes: string[] = [];
  if (flag.required === true) notes.push('required');
  if (flag.choices !== undefined) notes.push(`one of ${flag.choices.join(', ')}`);
  if (flag.default !== undefined) notes.push(`default ${flag.default}`);
  return notes.length > 0 ? `${flag.description} (${notes.join('; ')})` : flag.description;
}

function width(columns: number): number {
  return Math.min(WIDEST, Math.max(NARROWEST, columns));
}

function paragraph(text: string, columns: number): string {
  return wrap(text, width(columns)).join('\n');
}

/** A title and two aligned columns below it. */
function section(title: string, rows: readonly Row[], columns: number): string {
  const left = Math.min(LONGEST_LABEL, Math.max(...rows.map(([text]) => text.length)));
  const indent = ' '.repeat(left + 4);
  const lines = rows.flatMap(([text, description]) => {
    const [first = '', ...rest] = wrap(description, width(columns) - indent.length);
    const head = text.length > left ? [`  ${text}`, indent + first] : [`  ${text.padEnd(left)}  ${first}`];
    return [...head, ...rest.map((line) => indent + line)];
  });
  return `${title}\n${lines.join('\n')}\n`;
}

/** Breaks at spaces; a word longer than the line stays whole. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return line === '' ? lines : [...lines, line];
}
