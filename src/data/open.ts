/** From the `data:` block of a configuration to a data set. */
import { ConfigError } from '../base/errors.js';
import type { DataConfig } from '../config/index.js';
import { type Dataset, sampleSha256 } from './dataset.js';
import { openIdx } from './idx.js';
import type { ImageSource } from './source.js';
import { balancedSubset } from './subset.js';
import { syntheticSource } from './synthetic.js';
import { normaliseTable } from './transforms.js';

/**
 * Opens one split. `limit` and `fraction` thin out the training split only: results are always measured on all of the
 * test split.
 *
 * @param options.seed seed of the run; picks the subset.
 * @throws {ConfigError} if the block does not fit the data or names no files for the split.
 * @throws {DataError} if the files cannot be read or are malformed.
 */
export async function openData(
  config: DataConfig,
  split: 'train' | 'test',
  options: { readonly seed: number },
): Promise<Dataset> {
  const source = await openSource(config, split);
  const channels = config.channels ?? source.channels;
  if (channels !== source.channels && source.channels !== 1) {
    throw new ConfigError(
      `data.channels: ${channels}, but ${source.name} has ${source.channels}; only a one-channel source can be repeated`,
    );
  }
  const table = normaliseTable(config.mean, config.std, channels);
  const part = split === 'train' ? config : { limit: null, fraction: null };
  const indices = balancedSubset(source.labels, source.classes, part, options.seed);
  const augment = { padCrop: config.augment.pad_crop, flip: config.augment.flip };
  let digest: string | undefined;
  const sha256 = () => {
    digest ??= sampleSha256(source, indices);
    return digest;
  };
  return { split, source, indices, channels, table, augment, sha256 };
}

async function openSource(config: DataConfig, split: 'train' | 'test'): Promise<ImageSource> {
  if (config.source === 'synthetic') {
    const { image, channels, classes, seed } = config.synthetic;
    return syntheticSource({ image, channels, classes, seed, split, count: config.synthetic[split] });
  }
  const files = config[split];
  if (files === null) {
    throw new ConfigError(
      `data.${split}: the ${split} split is needed; give data.${split}.images and data.${split}.labels`,
    );
  }
  if (config.classes === null) throw new ConfigError('data.classes: source idx needs the number of classes');
  return openIdx(files, config.classes);
}
