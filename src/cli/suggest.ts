/** "did you mean ...?" for commands, flags and choices. */
import { closest } from '../config/suggest.js';

/** A beginning shorter than this fits too many names. Letters. */
const SHORTEST_BEGINNING = 2;

/** What other tools call a choice. */
const OTHER_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ['huggingface', ['hf']],
  ['hugging_face', ['hf', 'huggingface']],
  ['transformers', ['hf', 'huggingface']],
  ['hf', ['huggingface']],
]);

/** Hint like ` (did you mean --config?)`, or nothing if no candidate is near enough. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const wanted = bare(word);
  const names = candidates.map(bare);
  // Names without a place for a mistake are not guessed at by a part of them.
  const guess = wanted.length < SHORTEST_BEGINNING ? undefined : byPart(wanted, names);
  const found = names.indexOf(closest(wanted, names) ?? otherName(wanted, names) ?? guess ?? '');
  return found < 0 ? '' : ` (did you mean ${candidates[found]}?)`;
}

const bare = (text: string) => text.replace(/^-+/, '');
const plain = (text: string) => text.toLowerCase().replaceAll('_', '-');

function otherName(wanted: string, names: readonly string[]): string | undefined {
  const others = OTHER_NAMES.get(plain(wanted).replaceAll('-', '_')) ?? [];
  return names.find((name) => others.includes(name));
}

/**
 * People also shorten, lengthen and leave out words: `--conf`, `--output` and `--heads` are far from `--config`, `--out`
 * and `--ancestor-heads` by edits, and obvious all the same.
 */
function byPart(word: string, names: readonly string[]): string | undefined {
  const wanted = plain(word);
  const lengthened = names.filter((name) => name.length > SHORTEST_BEGINNING && wanted.startsWith(name));
  return (
    names.find((name) => name.startsWith(wanted)) ??
    names.find((name) => name.split('-').includes(wanted)) ??
    lengthened.sort((a, b) => b.length - a.length)[0]
  );
}
