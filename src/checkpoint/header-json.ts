/** Reads the JSON text of a header into entries, before any check of offsets and sizes. */
import { quote } from '../base/text.js';
import { type Dtype, isDtype } from './dtypes.js';
import { CheckpointError } from './errors.js';
import { JsonCursor, JsonProblem } from './json-cursor.js';
import { MAX_RANK, MAX_WARNINGS } from './limits.js';

/** Key of the metadata; no tensor can have this name. */
export const METADATA_KEY = '__metadata__';

/** One tensor as the header describes it, unchecked. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface ParsedHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly entries: HeaderEntry[];
  readonly warnings: readonly string[];
}

/**
 * Parses a header's text.
 * @throws {CheckpointError} InvalidHeaderDeserialization, DuplicateKey or LimitExceeded, naming the tensor.
 */
export function parseHeaderText(text: string, source: string): ParsedHeader {
  const cursor = new JsonCursor(text);
  const metadata = new Map<string, string>();
  const entries: HeaderEntry[] = [];
  const extras = new ExtraFields();
  let inside: string | undefined;
  try {
    cursor.object('the header', (name) => {
      if (name === METADATA_KEY) {
        inside = METADATA_KEY;
        readMetadata(cursor, metadata);
      } else {
        inside = name;
        entries.push(readEntry(cursor, name, extras));
      }
      inside = undefined;
    });
    cursor.end();
  } catch (error) {
    if (error instanceof JsonProblem) {
      throw refusal(error, inside, source);
    }
    throw error;
  }
  return { metadata, entries, warnings: extras.warnings() };
}

function refusal(problem: JsonProblem, inside: string | undefined, source: string): CheckpointError {
  const subject = inside === undefined || inside === METADATA_KEY ? inside : `tensor ${quote(inside)}`;
  const where = subject === undefined ? '' : `${subject}: `;
  const line = `the header is not valid: ${where}${problem.message}`;
  switch (problem.code) {
    case 'syntax':
      return new CheckpointError('InvalidHeaderDeserialization', source, line);
    case 'duplicate':
      return new CheckpointError('DuplicateKey', source, line);
    case 'limit':
      return new CheckpointError('LimitExceeded', source, line);
  }
}

function readMetadata(cursor: JsonCursor, metadata: Map<string, string>): void {
  // The reference implementation reads null as no metadata.
  if (cursor.acceptNull()) {
    return;
  }
  cursor.object(METADATA_KEY, (key) => {
    metadata.set(key, cursor.string('a metadata value'));
  });
}

function readEntry(cursor: JsonCursor, name: string, extras: ExtraFields): HeaderEntry {
  let dtype: Dtype | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  cursor.object('the entry', (field) => {
    switch (field) {
      case 'dtype':
        dtype = readDtype(cursor);
        break;
      case 'shape':
        shape = readNumbers(cursor, 'shape', MAX_RANK);
        break;
      case 'data_offsets':
        offsets = readNumbers(cursor, 'data_offsets', 2);
        break;
      default:
        extras.add(field, name);
        cursor.skip('an extra field');
    }
  });
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    const missing = dtype === undefined ? 'dtype' : shape === undefined ? 'shape' : 'data_offsets';
    throw new JsonProblem('syntax', `the field ${missing} is missing`);
  }
  if (offsets.length !== 2) {
    throw new JsonProblem('syntax', `data_offsets must hold two numbers, found ${offsets.length}`);
  }
  return { name, dtype, shape, begin: offsets[0], end: offsets[1] };
}

function readDtype(cursor: JsonCursor): Dtype {
  const text = cursor.string('dtype');
  if (!isDtype(text)) {
    throw new JsonProblem('syntax', `the dtype ${quote(text)} does not exist in this format`);
  }
  return text;
}

function readNumbers(cursor: JsonCursor, what: 'shape' | 'data_offsets', most: number): number[] {
  const numbers: number[] = [];
  cursor.array(what, () => {
    if (numbers.length === most) {
      const code = what === 'shape' ? 'limit' : 'syntax';
      throw new JsonProblem(code, `${what} holds more than ${most} numbers`);
    }
    numbers.push(cursor.unsigned(what));
  });
  return numbers;
}

/** Counts fields that the format does not have, one warning per field name. */
class ExtraFields {
  readonly #first = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  add(field: string, tensor: string): void {
    const count = this.#counts.get(field);
    if (count !== undefined) {
      this.#counts.set(field, count + 1);
    } else if (this.#counts.size < MAX_WARNINGS) {
      this.#counts.set(field, 1);
      this.#first.set(field, tensor);
    }
  }

  warnings(): string[] {
    return [...this.#counts].map(([field, count]) => {
      const where = `tensor ${quote(this.#first.get(field) ?? '')}`;
      const others = count === 1 ? '' : ` and ${count - 1} more`;
      return `the header has a field ${quote(field)} that the format does not know, in ${where}${others}; it is ignored`;
    });
  }
}
