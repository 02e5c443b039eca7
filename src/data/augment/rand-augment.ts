/** RandAugment in timm's form: a few changes drawn anew for every image, each made or left out by chance. */
import type { Rng } from '../../base/rng.js';
import type { RandAugmentSettings } from '../../config/index.js';
import type { Picture } from '../picture.js';
import { applyOp, argumentOf, INCREASING_OPS, type OpName, PLAIN_OPS } from './ops.js';
import type { WarpFilter } from './warp.js';

/** RandAugment for pictures of one kind. */
export interface RandAugment extends RandAugmentSettings {
  /** For changes that move pixels; `random`: bilinear or bicubic, drawn for each. */
  readonly filter: WarpFilter | 'random';
  /** `[channels]`: what comes in from outside, 0..255; the mean of the data set. */
  readonly fill: readonly number[];
}

/** A change to make. */
export interface DrawnOp {
  readonly name: OpName;
  /** See `argumentOf`. */
  readonly argument: number;
  readonly filter: WarpFilter;
}

/** The changes for one picture, in order. */
export function drawRandAugment(settings: RandAugment, rng: Rng): DrawnOp[] {
  const names = settings.increasing ? INCREASING_OPS : PLAIN_OPS;
  const drawn: DrawnOp[] = [];
  for (let layer = 0; layer < settings.layers; layer++) {
    const name = names[rng.int(names.length)];
    if (rng.uniform() >= settings.probability) continue;
    const argument = argumentOf(name, drawLevel(settings, rng), rng);
    const chance = rng.int(2) === 0 ? 'bilinear' : 'bicubic';
    drawn.push({ name, argument, filter: settings.filter === 'random' ? chance : settings.filter });
  }
  return drawn;
}

function drawLevel({ magnitude, deviation, limit }: RandAugmentSettings, rng: Rng): number {
  if (deviation === Number.POSITIVE_INFINITY) return Math.min(limit, rng.uniform() * magnitude);
  const level = deviation > 0 ? magnitude + deviation * rng.normal() : magnitude;
  return Math.max(0, Math.min(limit, level));
}

/** The changed picture; the one given may be changed too. */
export function applyRandAugment(picture: Picture, drawn: readonly DrawnOp[], fill: readonly number[]): Picture {
  let changed = picture;
  for (const { name, argument, filter } of drawn) changed = applyOp(name, changed, argument, { filter, fill });
  return changed;
}
