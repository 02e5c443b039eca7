/** The files behind a `data:` block, and by what they are known. */
import type { DataConfig } from '../../config/index.js';
import { listSplit } from '../../data/index.js';

/** Many or large files: names, sizes and dates stand for their content. */
export interface Listing {
  /** The same for the same files. */
  readonly key: string;
  /** One line per file. */
  readonly lines: () => Promise<readonly string[]>;
}

/** A path stands for the content of the file. */
export type DataFile = string | Listing;

/** What the given splits are read from; nothing for images that are drawn: the settings say all about those. */
export function dataFiles(data: DataConfig, splits: readonly ('train' | 'test')[]): DataFile[] {
  const { source, class_names: names } = data;
  if (source === 'synthetic') return [];
  const files = splits.flatMap((split): DataFile[] => {
    const given = data[split];
    if (given === null) return [];
    if (source === 'idx') return [given.images, given.labels].filter((path) => path !== null);
    return [{ key: JSON.stringify([source, split, given]), lines: () => listSplit(data, split) }];
  });
  return names === null ? files : [...files, names];
}
