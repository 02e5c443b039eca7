/** A model's preprocessing with nothing left to defaults. */
import { isUnnamed } from '../formats/facts.js';
import { preprocessFor } from '../preprocess.js';
import type { ModelSpec, Preprocess } from '../spec.js';

/** Preprocessing in which everything is said. */
export type FullPreprocess = { readonly [Key in keyof Preprocess]-?: NonNullable<Preprocess[Key]> };

/** What a spec says, with its defaults in place; undefined when it says nothing. */
export function fullPreprocess({
  preprocess,
  image,
  channels,
}: Pick<ModelSpec, 'preprocess' | 'image' | 'channels'>): FullPreprocess | undefined {
  if (preprocess === undefined) return undefined;
  const { resize = image, resize_mode = 'shortest', interpolation = 'bicubic' } = preprocess;
  return { ...preprocessFor(preprocess.mean, preprocess.std, channels), resize, resize_mode, interpolation };
}

/** Names of the classes, where there is one for each of them and they are more than numbers. */
export function classNames({ labels, classes }: Pick<ModelSpec, 'labels' | 'classes'>): readonly string[] | undefined {
  return labels?.length === classes && !labels.every(isUnnamed) ? labels : undefined;
}
