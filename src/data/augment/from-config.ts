/** From `data.augment` to the changes of training images. */
import { ConfigError } from '../../base/errors.js';
import { type DataConfig, parseRandAugment } from '../../config/index.js';
import { roundHalfEven } from '../framing.js';
import type { Augment } from '../transforms.js';
import { changesPixels } from './changes.js';
import type { RandAugment } from './rand-augment.js';

/**
 * @param name of the source, for messages
 * @param channels of the images that the model sees
 * @throws {ConfigError} if colours are to change in images that have none.
 */
export function augmentFrom(config: DataConfig, name: string, channels: number): Augment {
  const { pad_crop: padCrop, flip, random_resized_crop: randomResizedCrop, interpolation, repeats } = config.augment;
  const { color_jitter: strength, erasing: probability, erasing_mode: mode } = config.augment;
  const randAugment = randAugmentFrom(config, channels);
  const augment = {
    padCrop,
    flip,
    randomResizedCrop,
    interpolation: interpolation ?? config.resize.interpolation,
    randAugment,
    // timm's rule: the one does what the other would.
    colorJitter: randAugment ? 0 : strength,
    erasing: probability > 0 ? { probability, mode } : null,
    mix: mixFrom(config.augment),
    repeats,
  };
  if (changesPixels(augment) && channels !== 1 && channels !== 3) {
    const key = randAugment ? 'rand_augment' : 'color_jitter';
    throw new ConfigError(
      `data.augment.${key}: takes images of 1 or 3 channels, those of ${name} have ${channels}; leave it out`,
    );
  }
  return augment;
}

function mixFrom({ mixup, cutmix, mixup_prob: prob, mixup_switch: switchProb }: DataConfig['augment']) {
  return prob > 0 && (mixup > 0 || cutmix > 0) ? { mixup, cutmix, prob, switchProb } : null;
}

function randAugmentFrom({ augment, resize, mean }: DataConfig, channels: number): RandAugment | null {
  if (augment.rand_augment === null) return null;
  const filter = augment.interpolation ?? resize.interpolation;
  if (filter === 'lanczos') throw new ConfigError('data.augment.rand_augment: images cannot be turned with lanczos');
  const fill = Array.from({ length: channels }, (_, c) => {
    const value = roundHalfEven(255 * mean[mean.length === 1 ? 0 : c]);
    return Math.min(255, Math.max(0, value));
  });
  return { ...parseRandAugment(augment.rand_augment), filter, fill };
}
