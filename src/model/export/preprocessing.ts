/** A model's preprocessing with nothing left to defaults. */
import type { ModelSpec, Preprocess } from '../spec.js';

/** Preprocessing in which everything is said. */
export type FullPreprocess = { readonly [Key in keyof Preprocess]-?: NonNullable<Preprocess[Key]> };

/** What a spec says, with its defaults in place; undefined when it says nothing. */
export function fullPreprocess({
  preprocess,
  image,
}: Pick<ModelSpec, 'preprocess' | 'image'>): FullPreprocess | undefined {
  if (preprocess === undefined) return undefined;
  const { mean, std, resize = image, resize_mode = 'shortest', interpolation = 'bicubic' } = preprocess;
  return { mean, std, resize, resize_mode, interpolation };
}

/** Names of the classes, where there is one for each of them. */
export function classNames({ labels, classes }: Pick<ModelSpec, 'labels' | 'classes'>): readonly string[] | undefined {
  return labels?.length === classes ? labels : undefined;
}
