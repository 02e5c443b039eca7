/** What the files beside a checkpoint say about it that its shapes cannot. */
import type { ModelSpec, Preprocess } from '../spec.js';
import type { Library } from './recognise.js';

export interface Facts {
  /** The file that says so, for messages. */
  readonly from: string;
  /** Whose file it is. */
  readonly library: Library;
  /** What it calls the number of heads. */
  readonly headsFrom?: string | undefined;
  readonly heads?: number | undefined;
  /** Heads by the name of an architecture, which only holds for a model of that width. */
  readonly named?: { readonly from: string; readonly heads: number; readonly width: number } | undefined;
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

const UNNAMED = /^LABEL_\d+$/;

/** Whether a class has the name that transformers gives to those that nobody named. */
export function isUnnamed(label: string): boolean {
  return UNNAMED.test(label);
}

/** Names of classes; undefined where nobody has named them. */
export function namedOnly(labels: readonly string[]): readonly string[] | undefined {
  return labels.every(isUnnamed) ? undefined : labels;
}
