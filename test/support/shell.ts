/** Reads command lines as a shell does, so that those shown to users can be pasted into one. */

/** What bash or zsh would expand, match or refuse unless it is in quotes. */
const SPECIAL = /[[\]{}*?!$]/;

/**
 * The words of a command line, without their quotes.
 *
 * @throws when a quote stays open, or a character that a shell treats specially stands outside single quotes.
 */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (const character of line) {
    const isSpecial = quote === '"' ? /[!$]/.test(character) : quote === '' && SPECIAL.test(character);
    if (isSpecial) throw new Error(`a shell does not take ${character} as it is; put it in single quotes: ${line}`);
    if (character === quote) {
      quote = '';
    } else if (quote === '' && (character === "'" || character === '"')) {
      quote = character;
      word ??= '';
    } else if (quote === '' && character === ' ') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote !== '') throw new Error(`a quote stays open: ${line}`);
  return word === undefined ? words : [...words, word];
}
