/** The data of a training run: both splits, their loaders, and their place in the lineage. */
import type { z } from 'zod';
import { toolVersion } from '../base/version.js';
import { type Lineage, type LineageParent, makeLineage } from '../checkpoint/index.js';
import type { dataSchema } from '../config/data-schema.js';
import { configSha256 } from '../config/index.js';
import { type Dataset, Loader, openData, type UnreadableImage } from '../data/index.js';
import type { Engine } from '../engine/types.js';
import type { TrainConfig } from '../train/index.js';
import { BrokenImagesOfRun, warnOfFiles } from './broken-images.js';
import { checkSplits } from './class-map.js';
import type { StageContext } from './context.js';

/** What of a stage's settings decides which batches it sees. */
export interface DataSettings {
  readonly data: z.output<typeof dataSchema>;
  readonly seed: number;
  readonly train: Pick<TrainConfig, 'batch' | 'accumulate'>;
  readonly eval: { readonly batch: number };
}

export interface RunData {
  readonly train: Dataset;
  readonly test: Dataset;
  /** What cannot be read, of both. */
  readonly broken: BrokenImagesOfRun;
}

/** @throws ConfigError, also when the classes of the splits differ; DataError */
export async function openRunData({ data, seed }: DataSettings, context: StageContext): Promise<RunData> {
  context.emit({ type: 'phase', text: 'opening data' });
  const [train, test] = await Promise.all([openData(data, 'train', { seed }), openData(data, 'test', { seed })]);
  checkSplits({ train, test }, data);
  const broken = new BrokenImagesOfRun(context, [train, test]);
  warnOfFiles([train, test], context);
  return { train, test, broken };
}

/** Loaders of both splits; the threads behind them end with `close`. */
export interface RunLoaders {
  readonly train: Loader;
  readonly test: Loader;
  readonly testImages: number;
  /** What both could not read so far. */
  readonly broken: BrokenImagesOfRun;
  readonly close: () => Promise<void>;
}

/**
 * @param patch side of the model's patches, pixels
 * @throws ConfigError when the images do not divide into patches, or the training images do not fill one batch.
 */
export function openLoaders(settings: DataSettings, data: RunData, patch: number): RunLoaders {
  const { broken } = data;
  const common = { patch, seed: settings.seed, workers: settings.data.workers };
  const own = (split: 'train' | 'test') => {
    const onBroken = (image: UnreadableImage) => broken.add(split, image);
    return { dataset: data[split], ...common, onBroken };
  };
  const train = new Loader({ ...own('train'), mode: 'train', batch: settings.train.batch });
  const test = new Loader({ ...own('test'), mode: 'eval', batch: settings.eval.batch });
  const close = async () => {
    await Promise.all([train.close(), test.close()]);
  };
  return { train, test, testImages: data.test.indices.length, broken, close };
}

/** Where the artifacts of a run come from. */
export interface RunOrigin {
  readonly config: DataSettings;
  /** The files it was made from, by role ("ancestor", "templates", "scalers", "model"). */
  readonly parents: readonly LineageParent[];
  readonly data: RunData;
  readonly engine: Engine;
  readonly context: StageContext;
}

/** The lineage of what is written now. */
export function runLineage({ config, parents, data, engine, context }: RunOrigin): Lineage {
  return makeLineage({
    command: context.command,
    configSha256: configSha256(config),
    parents,
    dataSha256: data.train.sha256(),
    seed: config.seed,
    engine: `${engine.name}/${engine.device} ${engine.version}`,
    toolVersion: toolVersion(),
  });
}
