/** From the `data:` block of a configuration to a data set. */
import { ConfigError } from '../base/errors.js';
import type { DataConfig } from '../config/index.js';
import { MOST } from '../model/limits.js';
import { augmentFrom } from './augment/from-config.js';
import { openCifar } from './cifar.js';
import { checkSameNames, readClassNames } from './class-names.js';
import { type Dataset, sampleSha256 } from './dataset.js';
import { listFiles } from './file-list.js';
import { openFolder } from './folder.js';
import { openIdx } from './idx.js';
import { fitsAsItIs } from './loader.js';
import { openParquet } from './parquet.js';
import { type ImageSource, ownSize } from './source.js';
import { balancedSubset } from './subset.js';
import { syntheticSource } from './synthetic.js';
import { normaliseTable } from './transforms.js';
import { openWebDataset } from './webdataset.js';

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
  const image = imageSize(config, source);
  let digest: string | undefined;
  const sha256 = () => {
    digest ??= sampleSha256(source, indices);
    return digest;
  };
  const dataset: Dataset = {
    split,
    source,
    indices,
    image,
    channels,
    table,
    augment: augmentFrom(config, source.name, channels),
    framing: framingFor(config, image),
    shuffleWindow: config.shuffle_window,
    onBroken: config.on_broken,
    sha256,
  };
  if (split === 'train' && config.augment.pad_crop > 0 && !fitsAsItIs(dataset, 'train')) {
    const how = config.augment.random_resized_crop ? 'cropped at random' : 'resized';
    throw new ConfigError(
      `data.augment.pad_crop: takes images in their own size, those of ${source.name} are ${how} to ${image.join('x')}; set it to 0`,
    );
  }
  return dataset;
}

/** Input side for image files when nothing is said: that of ImageNet's models. */
const USUAL_SIDE = 224;

/** Height and width that images are brought to, pixels. */
function imageSize({ image }: DataConfig, source: ImageSource): readonly [number, number] {
  if (image !== null) return typeof image === 'number' ? [image, image] : image;
  const own = ownSize(source);
  return own ? [own.height, own.width] : [USUAL_SIDE, USUAL_SIDE];
}

/** timm's rule: the side before the crop is the input's over `crop_pct`, in whole pixels. */
function framingFor({ resize: { mode, crop_pct, interpolation } }: DataConfig, image: readonly [number, number]) {
  const resize = [Math.floor(image[0] / crop_pct), Math.floor(image[1] / crop_pct)] as const;
  if (resize.some((side) => side > MOST.image)) {
    throw new ConfigError(
      `data.resize.crop_pct: ${crop_pct} resizes images to ${resize.join('x')} pixels, at most ${MOST.image} a side; raise it`,
    );
  }
  return { image, resize, mode, interpolation };
}

async function openSource(config: DataConfig, split: 'train' | 'test'): Promise<ImageSource> {
  if (config.source === 'synthetic') {
    const { image, channels, classes, seed } = config.synthetic;
    return syntheticSource({ image, channels, classes, seed, split, count: config.synthetic[split] });
  }
  const classNames = config.class_names === null ? null : await readClassNames(config.class_names);
  if (config.classes !== null && classNames && classNames.length !== config.classes) {
    throw new ConfigError(
      `data.classes: ${config.class_names} names ${classNames.length} classes, data.classes says ${config.classes}; correct one of them`,
    );
  }
  const source = await openFiles(config, split, classNames);
  const expected = config.classes ?? classNames?.length ?? source.classes;
  if (expected !== source.classes) {
    throw new ConfigError(
      `data.classes: ${source.name} has ${source.classes} classes, ${config.classes === null ? 'data.class_names names' : 'data.classes says'} ${expected}; correct one of them`,
    );
  }
  if (!classNames) return source;
  if (config.check_names) checkSameNames(source, { classNames, name: `${config.class_names}` });
  return { ...source, classNames };
}

async function openFiles(
  config: DataConfig,
  split: 'train' | 'test',
  classNames: readonly string[] | null,
): Promise<ImageSource> {
  const files = config[split];
  const need = (key: string): never => {
    throw new ConfigError(`data.${split}: the ${split} split is needed; give data.${split}.${key}`);
  };
  const listed = () => listFiles(files?.files ?? need('files'), `data.${split}.files`);
  // Of image files; other sources have their own.
  const channels = config.channels === 1 ? 1 : 3;
  const { on_broken: onBroken } = config;
  const classes = config.classes ?? classNames?.length ?? null;
  switch (config.source) {
    case 'folder':
      return openFolder(files?.folder ?? need('folder'), { classNames, channels });
    case 'cifar':
      return openCifar(await listed(), config.cifar);
    case 'webdataset':
      if (classes === null) throw new ConfigError('data.classes: source webdataset needs the number of classes');
      return openWebDataset(await listed(), { ...config.webdataset, classes, onBroken, channels });
    case 'parquet':
      return openParquet(await listed(), { columns: config.parquet, classes, onBroken, channels });
    default: {
      const [images, labels] = [files?.images, files?.labels];
      if (!images || !labels) return need(`images and data.${split}.labels`);
      if (config.classes === null) throw new ConfigError('data.classes: source idx needs the number of classes');
      return openIdx({ images, labels }, config.classes);
    }
  }
}
