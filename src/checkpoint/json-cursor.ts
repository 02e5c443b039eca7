/**
 * A strict reader of JSON text that walks forward token by token. `JSON.parse` cannot be used for headers: it lets
 * the last of two equal keys win, reads `1.0`, `1e0` and `-0` as integers, rounds above 2^53 and accepts lone
 * surrogates. Grammar: RFC 8259.
 */
import { quote } from '../base/text.js';
import { MAX_JSON_DEPTH } from './limits.js';

/** Why the text is refused; the caller adds the file. */
export class JsonProblem extends Error {
  readonly code: 'syntax' | 'duplicate' | 'limit';

  constructor(code: 'syntax' | 'duplicate' | 'limit', message: string) {
    super(message);
    this.code = code;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN_INTEGER = /^(?:0|[1-9][0-9]*)$/;
const HEX4 = /^[0-9a-fA-F]{4}$/;
const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class JsonCursor {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** First character of the next value, or '' at the end. Tells `{ [ " t f n` and numbers apart. */
  peek(): string {
    this.#skipSpace();
    return this.#text.charAt(this.#at);
  }

  /**
   * Reads an object and calls `member` for every key with the cursor before the value, which `member` must consume.
   * @throws {JsonProblem} 'duplicate' when a key occurs twice, also when one of them is written with escapes.
   */
  object(what: string, member: (key: string) => void): void {
    this.#open('{', what);
    const seen = new Set<string>();
    if (!this.#accept('}')) {
      do {
        const key = this.string(`a key of ${what}`);
        if (seen.has(key)) {
          throw new JsonProblem('duplicate', `${what} has the key ${quote(key)} twice`);
        }
        seen.add(key);
        if (!this.#accept(':')) {
          this.#fail(`":" is missing after the key ${quote(key)}`);
        }
        member(key);
      } while (this.#accept(','));
      if (!this.#accept('}')) {
        this.#fail(`"," or "}" is missing in ${what}`);
      }
    }
    this.#depth--;
  }

  /** Reads an array and calls `item` for every element with the cursor before it. */
  array(what: string, item: () => void): void {
    this.#open('[', what);
    if (!this.#accept(']')) {
      do {
        item();
      } while (this.#accept(','));
      if (!this.#accept(']')) {
        this.#fail(`"," or "]" is missing in ${what}`);
      }
    }
    this.#depth--;
  }

  string(what: string): string {
    if (this.peek() !== '"') {
      this.#fail(`${what} must be a string`);
    }
    const start = this.#at + 1;
    let end = start;
    for (; end < this.#text.length; end++) {
      const unit = this.#text.charCodeAt(end);
      if (unit === QUOTE) {
        this.#at = end + 1;
        return this.#text.slice(start, end);
      }
      if (unit === BACKSLASH || unit < 0x20) {
        break;
      }
    }
    return this.#stringWithEscapes(start, end, what);
  }

  /** A whole number from 0 to 2^53 - 1 written with digits only. */
  unsigned(what: string): number {
    const text = this.#number(what);
    if (!PLAIN_INTEGER.test(text)) {
      throw new JsonProblem('syntax', `${what} must be a whole number written in plain digits, found ${quote(text)}`);
    }
    const value = Number(text);
    if (!Number.isSafeInteger(value)) {
      throw new JsonProblem('limit', `${what} is ${quote(text)}, above the largest number handled here, 2^53 - 1`);
    }
    return value;
  }

  /** Consumes `null` if it is next. */
  acceptNull(): boolean {
    return this.peek() === 'n' && this.#word('null');
  }

  /** Checks and drops one value of any type. */
  skip(what: string): void {
    switch (this.peek()) {
      case '{':
        this.object(what, () => this.skip(what));
        return;
      case '[':
        this.array(what, () => this.skip(what));
        return;
      case '"':
        this.string(what);
        return;
      case 't':
        this.#word('true');
        return;
      case 'f':
        this.#word('false');
        return;
      case 'n':
        this.#word('null');
        return;
      default:
        this.#finiteNumber(what);
    }
  }

  /** Requires that only whitespace is left. */
  end(): void {
    if (this.peek() !== '') {
      this.#fail('there is text after the end of the JSON object');
    }
  }

  #open(bracket: '{' | '[', what: string): void {
    if (!this.#accept(bracket)) {
      this.#fail(`${what} must be ${bracket === '{' ? 'an object' : 'an array'}`);
    }
    this.#depth++;
    if (this.#depth > MAX_JSON_DEPTH) {
      throw new JsonProblem('limit', `${what} is nested deeper than ${MAX_JSON_DEPTH} levels`);
    }
  }

  #stringWithEscapes(start: number, firstSpecial: number, what: string): string {
    const parts = [this.#text.slice(start, firstSpecial)];
    let at = firstSpecial;
    while (at < this.#text.length) {
      const unit = this.#text.charCodeAt(at);
      if (unit === QUOTE) {
        this.#at = at + 1;
        return parts.join('');
      }
      if (unit < 0x20) {
        this.#at = at;
        this.#fail(`${what} holds an unescaped control character`);
      }
      if (unit === BACKSLASH) {
        this.#at = at;
        parts.push(this.#escape(what));
        at = this.#at;
      } else {
        let next = at + 1;
        while (next < this.#text.length && !isSpecial(this.#text.charCodeAt(next))) {
          next++;
        }
        parts.push(this.#text.slice(at, next));
        at = next;
      }
    }
    this.#at = at;
    return this.#fail(`${what} has no closing quote`);
  }

  /** Reads one escape at the cursor; a surrogate pair counts as one. */
  #escape(what: string): string {
    const kind = this.#text.charAt(this.#at + 1);
    const simple = SIMPLE_ESCAPES.get(kind);
    if (simple !== undefined) {
      this.#at += 2;
      return simple;
    }
    const unit = this.#unicodeEscape(what);
    if (unit < 0xd800 || unit > 0xdfff) {
      return String.fromCharCode(unit);
    }
    if (unit <= 0xdbff && this.#text.startsWith('\\u', this.#at)) {
      const low = this.#unicodeEscape(what);
      if (low >= 0xdc00 && low <= 0xdfff) {
        return String.fromCharCode(unit, low);
      }
    }
    return this.#fail(`${what} holds half of a surrogate pair`);
  }

  #unicodeEscape(what: string): number {
    const hex = this.#text.slice(this.#at + 2, this.#at + 6);
    if (this.#text.charAt(this.#at + 1) !== 'u' || !HEX4.test(hex)) {
      this.#fail(`${what} holds an escape that JSON does not have`);
    }
    this.#at += 6;
    return Number.parseInt(hex, 16);
  }

  #number(what: string): string {
    this.#skipSpace();
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) {
      return this.#fail(`${what} must be a number`);
    }
    this.#at += match[0].length;
    return match[0];
  }

  #finiteNumber(what: string): void {
    const text = this.#number(what);
    if (!Number.isFinite(Number(text))) {
      throw new JsonProblem('limit', `${what} is a number out of range, ${quote(text)}`);
    }
  }

  #word(word: 'true' | 'false' | 'null'): true {
    if (!this.#text.startsWith(word, this.#at)) {
      this.#fail(`${word} is misspelt`);
    }
    this.#at += word.length;
    return true;
  }

  #accept(character: string): boolean {
    if (this.peek() !== character) {
      return false;
    }
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) {
        return;
      }
    }
  }

  #fail(problem: string): never {
    if (this.#at >= this.#text.length) {
      throw new JsonProblem('syntax', `${problem}, but the text ends`);
    }
    const found = quote(this.#text.slice(this.#at, this.#at + 1));
    throw new JsonProblem('syntax', `${problem}, found ${found} at character ${this.#at}`);
  }
}

function isSpecial(unit: number): boolean {
  return unit === QUOTE || unit === BACKSLASH || unit < 0x20;
}
