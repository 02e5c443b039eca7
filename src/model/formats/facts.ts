/** What the files beside a checkpoint say about it that its shapes cannot. */
import type { ModelSpec, Preprocess } from '../spec.js';

export interface Facts {
  /** The file that says so, for messages. */
  readonly from: string;
  /** What it calls the number of heads, and where it is from: `num_attention_heads`, `architecture deit_tiny...`. */
  readonly headsFrom?: string | undefined;
  readonly heads?: number | undefined;
  /** Added to the variance in layer norms. */
  readonly eps?: number | undefined;
  /** Height and width, pixels. */
  readonly image?: readonly [number, number] | undefined;
  readonly pool?: ModelSpec['pool'] | undefined;
  /** False: queries, keys and values have no bias, and the file has no tensor for it. */
  readonly qkvBias?: boolean | undefined;
  /** Names of the classes, where they are more than numbers. */
  readonly labels?: readonly string[] | undefined;
  readonly preprocess?: Preprocess | undefined;
  /** Sizes that the shapes tell, too: the two must agree. By their names in the file. */
  readonly sizes?: readonly StatedSize[];
  /** What of the files was left aside, one line each. */
  readonly notes?: readonly string[];
}

/** A size under its name in a file. */
export interface StatedSize {
  readonly name: string;
  readonly key: 'width' | 'depth' | 'hidden' | 'patch' | 'channels' | 'classes';
  readonly value: number;
}

/** Sizes that a file does say. */
export function statedSizes(
  sizes: readonly (readonly [name: string, key: StatedSize['key'], value: number | undefined])[],
): StatedSize[] {
  return sizes.flatMap(([name, key, value]) => (value === undefined ? [] : [{ name, key, value }]));
}
