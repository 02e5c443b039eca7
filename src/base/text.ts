/**
 * Text helpers, most of them for names and paths that come from outside: they are shown in messages, sorted into files
 * and must never break a line or a terminal.
 */

/** Longest quoted name in a message, in characters: enough for any real tensor name, short enough for one line. */
const MAX_QUOTED_CHARACTERS = 120;

/** Controls, invisible formatting (bidirectional overrides, byte order mark) and line separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escapeCharacter(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
}

/** Makes a path or foreign text safe to show: one line, no control characters. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeCharacter);
}

/** A name from outside in double quotes, escaped and cut to a length that fits a message. */
export function quote(name: string): string {
  const cut = name.length > MAX_QUOTED_CHARACTERS ? `${name.slice(0, MAX_QUOTED_CHARACTERS)}…` : name;
  return printable(JSON.stringify(cut));
}

/** `312 MiB` of bytes. */
export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

/** Whether a string holds no lone surrogate, so that it has a UTF-8 form. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/**
 * Orders two strings by their UTF-8 bytes, which is the order of their code points. The default order of JavaScript
 * compares UTF-16 units and differs for characters above U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) {
      // Surrogates stand for code points above every other UTF-16 unit.
      return Number(isSurrogate(x)) - Number(isSurrogate(y)) || x - y;
    }
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
