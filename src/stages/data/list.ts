/** What a `data:` block names: its splits, and how many images each class has. */
import { ConfigError } from '../../base/errors.js';
import type { DataConfig } from '../../config/index.js';
import { type Dataset, openData } from '../../data/index.js';
import { checkSplits } from '../class-map.js';

export const SPLITS = ['train', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** One split. */
export interface SplitListing {
  readonly split: Split;
  /** Kind of source. */
  readonly source: DataConfig['source'];
  /** The file or folder, or what was drawn. */
  readonly name: string;
  /** In the source. */
  readonly images: number;
  /** In use: all, or what `limit` and `fraction` leave. */
  readonly used: number;
  readonly classes: number;
  /** Height and width that models see, pixels. */
  readonly image: readonly [number, number];
  readonly channels: number;
  /** Samples without an image or a class, which are not counted. */
  readonly leftOut: number;
}

/** One class, and its images in use. */
export interface ClassListing {
  readonly index: number;
  readonly name: string | null;
  /** Null: the split is not there, or does not have this class. */
  readonly train: number | null;
  readonly test: number | null;
}

/** What a `data:` block names. */
export interface DataListing {
  readonly splits: readonly SplitListing[];
  readonly classes: readonly ClassListing[];
  /** What else to know of the files, a line each. */
  readonly notes: readonly string[];
  /** Why nothing can be trained on these splits together, in one line; null when it can. */
  readonly problem: string | null;
}

/** The splits that a block names. */
export function splitsOf(data: DataConfig): Split[] {
  return SPLITS.filter((split) => data.source === 'synthetic' || data[split] !== null);
}

/**
 * Opens the splits and counts; no image is read. Samples without an image or a class are counted, whatever `on_broken` says.
 *
 * @throws ConfigError, DataError
 */
export async function listData(settings: { readonly data: DataConfig; readonly seed: number }): Promise<DataListing> {
  const data = { ...settings.data, on_broken: 'skip' as const };
  const datasets = await Promise.all(splitsOf(data).map((split) => openData(data, split, { seed: settings.seed })));
  const splits = datasets.map(({ split, source, indices, image, channels }) => ({
    split,
    source: data.source,
    name: source.name,
    images: source.count,
    used: indices.length,
    classes: source.classes,
    image,
    channels,
    leftOut: source.leftOut?.length ?? 0,
  }));
  const counts = new Map(datasets.map((dataset) => [dataset.split, countClasses(dataset)]));
  const names = datasets.find(({ source }) => source.classNames)?.source.classNames;
  const most = Math.max(...datasets.map(({ source }) => source.classes));
  const classes = Array.from({ length: most }, (_, index) => ({
    index,
    name: names?.[index] ?? null,
    train: counts.get('train')?.[index] ?? null,
    test: counts.get('test')?.[index] ?? null,
  }));
  const notes = datasets.flatMap(({ source }) => source.notes ?? []);
  return { splits, classes, notes, problem: problemOf(datasets, data) };
}

function problemOf([train, test]: readonly Dataset[], data: DataConfig): string | null {
  if (!train || !test) return null;
  try {
    checkSplits({ train, test }, data);
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

/** `[classes]`: images in use. */
function countClasses({ source, indices }: Dataset): number[] {
  const counts = new Array<number>(source.classes).fill(0);
  for (const index of indices) counts[source.labels[index]]++;
  return counts;
}
