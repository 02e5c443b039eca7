/**
 * YAML text to a settings tree. Stricter than YAML: one document, keys that are names, no duplicate keys, no custom
 * tags, and bounds on size, depth and aliases so that no file can make the reader hang.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { oneLine, type Problem, quoted } from './problems.js';
import { type MapEntry, type Origin, PRIVATE_PREFIX, type Tree } from './tree.js';

/** Aliases (`*name`) in one text. People use a handful; each is looked up by a walk over the document. */
const MAX_ALIASES = 100;
/** Values in one text after aliases are followed: ten times the largest configuration thinkable. */
const MAX_VALUES = 50_000;
/** Levels of nesting. The suite's settings have six; an alias that contains itself would have no end. */
const MAX_DEPTH = 32;

/** Names the place of a character offset. */
export type Locate = (offset: number) => Origin;

class Refusal extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** The places of a text read from `name`, as `name:line:column`. */
export function locateIn(name: string, layer: number, lines: LineCounter): Locate {
  return (offset) => {
    const { line, col } = lines.linePos(offset);
    return { text: `${name}:${line}:${col}`, layer, line, column: col };
  };
}

/**
 * Parses `text`.
 *
 * @param locate place of an offset for messages and origins.
 * @param problems receives what is wrong with the text.
 * @returns the tree, or undefined if the text holds no value or could not be read.
 */
export function parseYaml(
  text: string,
  locate: Locate,
  problems: Problem[],
  lines = new LineCounter(),
): Tree | undefined {
  let document: Document.Parsed;
  try {
    document = parseDocument(text, { prettyErrors: false, lineCounter: lines, logLevel: 'error' });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // The parser recurses: text nested thousands deep ends its stack.
    problems.push({ origin: locate(0), path: '', message: 'nested too deeply to be read' });
    return undefined;
  }
  let broken = false;
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const wording = code === 'DUPLICATE_KEY' ? duplicateKey(text.slice(pos[0])) : syntaxMessage(code, message);
    // What follows a syntax error is mostly its consequence, so only the first is told.
    if (code !== 'DUPLICATE_KEY' && broken) continue;
    broken ||= code !== 'DUPLICATE_KEY';
    problems.push({ origin: locate(pos[0]), path: '', message: wording });
  }
  if (broken || document.contents === null) return undefined;
  try {
    return new Converter(document, locate).convert(document.contents, 0, locate(0));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    problems.push(error.problem);
    return undefined;
  }
}

function duplicateKey(rest: string): string {
  const key = /^[^:\s]*/.exec(rest)?.[0] ?? '';
  return `key ${quoted(key)} is given twice in the same mapping; keep one`;
}

function syntaxMessage(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'a tab indents this line; indent with spaces';
  if (code === 'MULTIPLE_DOCS') return 'a second document starts here (---); a file holds one';
  return `not valid YAML: ${oneLine(message)}`;
}

class Converter {
  readonly #document: Document.Parsed;
  readonly #locate: Locate;
  #aliases = 0;
  #values = 0;

  constructor(document: Document.Parsed, locate: Locate) {
    this.#document = document;
    this.#locate = locate;
  }

  /** @param fallback origin of a value that has no text of its own, as in `key:` or `{ key }`. */
  convert(node: unknown, depth: number, fallback: Origin): Tree {
    const origin = hasRange(node) ? this.#locate(node.range[0]) : fallback;
    const refuse = (message: string) => new Refusal({ origin, path: '', message });
    if (++this.#values > MAX_VALUES) throw refuse(`more than ${MAX_VALUES} values; aliases may be multiplying them`);
    if (depth > MAX_DEPTH) throw refuse(`nested deeper than ${MAX_DEPTH} levels`);
    if (isAlias(node)) {
      if (++this.#aliases > MAX_ALIASES) throw refuse(`more than ${MAX_ALIASES} aliases`);
      const target = node.resolve(this.#document);
      if (target === undefined) throw refuse(`alias *${node.source} names no anchor above it`);
      return this.convert(target, depth + 1, origin);
    }
    if (isMap(node)) return { kind: 'map', origin, entries: this.#entries(node, depth, origin) };
    if (isSeq(node)) {
      return { kind: 'list', origin, items: node.items.map((item) => this.convert(item, depth + 1, origin)) };
    }
    const value = isScalar(node) ? node.value : null;
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      return { kind: 'scalar', origin, value };
    }
    throw refuse('this value is neither text, number, true, false, null, list nor mapping');
  }

  #entries(map: YAMLMap, depth: number, fallback: Origin): Map<string, MapEntry> {
    const entries = new Map<string, MapEntry>();
    for (const { key, value } of map.items) {
      const keyOrigin = hasRange(key) ? this.#locate(key.range[0]) : fallback;
      const name = isScalar(key) ? key.value : null;
      if (typeof name !== 'string' && typeof name !== 'number' && typeof name !== 'boolean') {
        throw new Refusal({ origin: keyOrigin, path: '', message: 'a key must be a name' });
      }
      const text = String(name);
      if (text === '__proto__') {
        throw new Refusal({ origin: keyOrigin, path: '', message: 'key "__proto__" is not allowed' });
      }
      if (!text.startsWith(PRIVATE_PREFIX)) {
        entries.set(text, { keyOrigin, value: this.convert(value, depth + 1, keyOrigin) });
      }
    }
    return entries;
  }
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}
