/** The files behind a `data:` block. */
import type { DataConfig } from '../../config/index.js';

/** Files of the given splits; none for images that are drawn: the settings say all about those. */
export function dataFiles(data: DataConfig, splits: readonly ('train' | 'test')[]): string[] {
  if (data.source !== 'idx') return [];
  return splits.flatMap((split) => {
    const { images, labels } = data[split] ?? {};
    return [images, labels].filter((path) => typeof path === 'string');
  });
}
