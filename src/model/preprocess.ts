/** How images become pixel values: from a configuration, and changed by what a user says. */
import { ConfigError } from '../base/errors.js';
import type { Interpolation, ResizeMode } from '../base/resize-choices.js';
import { MOST } from './limits.js';
import type { ModelSpec, Preprocess } from './spec.js';

/** One value may stand for all channels. */
export function preprocessFor(mean: readonly number[], std: readonly number[], channels: number): Preprocess {
  const spread = (values: readonly number[]): number[] =>
    Array.from({ length: channels }, (_, channel) => values[values.length === 1 ? 0 : channel]);
  return { mean: spread(mean), std: spread(std) };
}

/** What a user says about the images of a model, in place of what the model says. */
export interface PreprocessChanges {
  /** Here and below: one value for all channels, or one for each. */
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
  /** Share of the resized image that the crop keeps of each side: images are resized to `floor(side / cropPct)`. */
  readonly cropPct?: number | undefined;
  readonly interpolation?: Interpolation | undefined;
  readonly resizeMode?: ResizeMode | undefined;
}

/**
 * The preprocessing of a model with those changes.
 *
 * @returns undefined when the model does not say how its images were normalised, and the changes do not either
 * @throws ConfigError for values that cannot be, or changes to a preprocessing of which mean or deviation are not known.
 */
export function changedPreprocess(
  { image, channels, preprocess }: Pick<ModelSpec, 'image' | 'channels' | 'preprocess'>,
  changes: PreprocessChanges,
): Preprocess | undefined {
  checkChanges(changes, image, channels);
  const mean = changes.mean ?? preprocess?.mean;
  const std = changes.std ?? preprocess?.std;
  const { cropPct, interpolation, resizeMode } = changes;
  if (mean === undefined || std === undefined) {
    if (Object.values(changes).every((value) => value === undefined)) return undefined;
    throw new ConfigError(
      `the model does not say how its images were normalised; give ${missingFlags(mean, std)} beside the other flags`,
    );
  }
  return {
    ...preprocess,
    ...preprocessFor(mean, std, channels),
    ...(cropPct !== undefined && { resize: [Math.floor(image[0] / cropPct), Math.floor(image[1] / cropPct)] }),
    ...(resizeMode !== undefined && { resize_mode: resizeMode }),
    ...(interpolation !== undefined && { interpolation }),
  };
}

function missingFlags(mean: unknown, std: unknown): string {
  return [...(mean === undefined ? ['--mean'] : []), ...(std === undefined ? ['--std'] : [])].join(' and ');
}

function checkChanges(
  { mean, std, cropPct }: PreprocessChanges,
  image: readonly [number, number],
  channels: number,
): void {
  for (const [flag, values] of [['--mean', mean] as const, ['--std', std] as const]) {
    if (values === undefined || values.length === 1 || values.length === channels) continue;
    throw new ConfigError(
      `${flag}: ${values.length} values for a model of ${channels} channel${channels === 1 ? '' : 's'}; give one per ` +
        'channel, or one for all',
    );
  }
  if (std?.some((value) => value <= 0)) throw new ConfigError(`--std: must be above 0, found ${std.join(',')}`);
  if (cropPct !== undefined && !(cropPct > 0 && cropPct <= 1)) {
    throw new ConfigError(`--crop-pct: must be above 0 and at most 1, found ${cropPct}`);
  }
  const side = Math.floor(Math.max(...image) / (cropPct ?? 1));
  if (side > MOST.image) {
    throw new ConfigError(
      `--crop-pct: ${cropPct} of ${image.join('x')} resizes images to ${side} pixels a side, at most ${MOST.image}; raise it`,
    );
  }
}
