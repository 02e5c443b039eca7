/** "did you mean ...?" for commands, flags and choices. */
import { closest } from '../config/suggest.js';

/** A beginning shorter than this fits too many names. Letters. */
const SHORTEST_BEGINNING = 2;

/** Hint like ` (did you mean --config?)`, or nothing if no candidate is near enough. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const bare = (text: string) => text.replace(/^-+/, '');
  const wanted = bare(word);
  const near = closest(wanted, candidates.map(bare));
  // People also shorten: `--conf` is far from `--config` by edits, and obvious all the same.
  const long = wanted.length >= SHORTEST_BEGINNING;
  const best =
    candidates.find((candidate) => bare(candidate) === near) ??
    candidates.find((candidate) => long && bare(candidate).startsWith(wanted));
  return best === undefined ? '' : ` (did you mean ${best}?)`;
}
