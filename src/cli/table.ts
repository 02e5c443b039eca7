/** Tables of results: plain characters, no colour, so that they read the same on a terminal, in a log and in a mail. */
import Table from 'cli-table3';
import { printable } from '../base/text.js';

/** One column: its heading, and `right` for numbers. */
export interface Column {
  readonly name: string;
  readonly align?: 'left' | 'right';
}

const NO_BORDER = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
  mid: '',
  'mid-mid': '',
};

/**
 * Columns two spaces apart under their headings, which are underlined. Ends in a newline. Control characters are
 * escaped: names come from files of strangers and must not reach the terminal as they are.
 */
export function renderTable(columns: readonly Column[], cells: readonly (readonly string[])[]): string {
  const table = new Table({
    chars: NO_BORDER,
    colAligns: columns.map((column) => column.align ?? 'left'),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  const rows = cells.map((row) => row.map(printable));
  const underline = columns.map(({ name }, i) =>
    '-'.repeat(rows.reduce((most, row) => Math.max(most, row[i].length), name.length)),
  );
  table.push(
    columns.map((column) => column.name),
    underline,
  );
  for (const row of rows) table.push(row);
  return trimLines(table.toString());
}

/** Names and values below each other. Ends in a newline. */
export function renderPairs(pairs: readonly (readonly [name: string, value: string])[]): string {
  const table = new Table({
    chars: NO_BORDER,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...pairs.map((pair) => pair.map(printable)));
  return trimLines(table.toString());
}

function trimLines(text: string): string {
  const lines = text.split('\n').map((line) => line.trimEnd());
  return `${lines.join('\n')}\n`;
}
