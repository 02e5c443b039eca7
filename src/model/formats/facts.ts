/** What the files beside a checkpoint say about it that its shapes cannot. */
import { ModelError } from '../../base/errors.js';
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
  /** Heads that the file does not say but implies, in a model of that width if there is one: the user may say otherwise. */
  readonly impliedHeads?: { readonly from: string; readonly heads: number; readonly width?: number } | undefined;
  /** Added to the variance in layer norms. */
  readonly eps?: number | undefined;
  /** Epsilon that the file does not say but implies: the user may say otherwise. */
  readonly impliedEps?: { readonly from: string; readonly eps: number } | undefined;
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

/** A size, or another field of a spec that tensors tell, under its name in a file. */
export interface StatedSize {
  readonly name: string;
  readonly key:
    | 'width'
    | 'depth'
    | 'hidden'
    | 'patch'
    | 'channels'
    | 'classes'
    | 'class_token'
    | 'register_tokens'
    | 'position_prefix'
    | 'final_norm';
  readonly value: number | boolean | string;
  /** The value is a multiple of this one, rounded down. */
  readonly times?: 'width';
}

/** Sizes that a file does say. */
export function statedSizes(
  sizes: readonly (readonly [name: string, key: StatedSize['key'], value: StatedSize['value'] | undefined])[],
): StatedSize[] {
  return sizes.flatMap(([name, key, value]) => (value === undefined ? [] : [{ name, key, value }]));
}

/**
 * Names of classes in the order of their numbers; undefined when nobody has named them.
 *
 * @param field what the file calls them
 * @throws ModelError unless the numbers go from 0 on without a gap.
 */
export function numberedLabels(
  names: Readonly<Record<string, string>>,
  field: string,
  path: string,
): readonly string[] | undefined {
  const count = Object.keys(names).length;
  const labels = Array.from({ length: count }, (_, id) => {
    if (Object.hasOwn(names, String(id))) return names[String(id)] as string;
    throw new ModelError(`${path}: ${field} has ${count} classes and no ${id}; number them from 0 without a gap`);
  });
  return namedOnly(labels);
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
