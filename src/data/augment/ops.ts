/** The changes that RandAugment draws from, by timm's names, and what a strength means to each. */
import type { Rng } from '../../base/rng.js';
import type { Picture } from '../picture.js';
import { brightness, color, contrast, sharpness } from './enhance.js';
import { rotate, shearX, shearY, translateX, translateY } from './geometry.js';
import { autoContrast, equalize, invert, posterize, solarize, solarizeAdd } from './tables.js';
import type { Surroundings } from './warp.js';

/** Strength at which a change reaches the end of its usual range. */
export const FULL_LEVEL = 10;

/** What a strength from 0 on means to a change; some draw a sign. */
type Level = (level: number, rng: Rng) => number;

interface Op {
  /** Absent: there is but one strength. */
  readonly level?: Level;
  /** Changes values in place. */
  readonly change?: (picture: Picture, argument: number) => void;
  /** Moves pixels to a new picture. */
  readonly move?: (picture: Picture, argument: number, around: Surroundings) => Picture;
}

const signed = (value: number, rng: Rng) => (rng.int(2) === 1 ? -value : value);
const upTo =
  (most: number): Level =>
  (level, rng) =>
    signed((level / FULL_LEVEL) * most, rng);
const enhance: Level = (level) => (level / FULL_LEVEL) * 1.8 + 0.1;
const enhanceMore: Level = (level, rng) => Math.max(0.1, 1 + signed((level / FULL_LEVEL) * 0.9, rng));
const bits: Level = (level) => Math.trunc((level / FULL_LEVEL) * 4);
const threshold: Level = (level) => Math.min(256, Math.trunc((level / FULL_LEVEL) * 256));

const OPS = {
  AutoContrast: { change: autoContrast },
  Equalize: { change: equalize },
  Invert: { change: invert },
  Rotate: { level: upTo(30), move: rotate },
  Posterize: { level: bits, change: posterize },
  PosterizeIncreasing: { level: (level, rng) => 4 - bits(level, rng), change: posterize },
  Solarize: { level: threshold, change: solarize },
  SolarizeIncreasing: { level: (level, rng) => 256 - threshold(level, rng), change: solarize },
  SolarizeAdd: { level: (level) => Math.min(128, Math.trunc((level / FULL_LEVEL) * 110)), change: solarizeAdd },
  Color: { level: enhance, change: color },
  ColorIncreasing: { level: enhanceMore, change: color },
  Contrast: { level: enhance, change: contrast },
  ContrastIncreasing: { level: enhanceMore, change: contrast },
  Brightness: { level: enhance, change: brightness },
  BrightnessIncreasing: { level: enhanceMore, change: brightness },
  Sharpness: { level: enhance, change: sharpness },
  SharpnessIncreasing: { level: enhanceMore, change: sharpness },
  ShearX: { level: upTo(0.3), move: shearX },
  ShearY: { level: upTo(0.3), move: shearY },
  TranslateXRel: { level: upTo(0.45), move: translateX },
  TranslateYRel: { level: upTo(0.45), move: translateY },
} as const satisfies Record<string, Op>;

export type OpName = keyof typeof OPS;

/** Changes that all grow with the strength. */
export const INCREASING_OPS = [
  'AutoContrast',
  'Equalize',
  'Invert',
  'Rotate',
  'PosterizeIncreasing',
  'SolarizeIncreasing',
  'SolarizeAdd',
  'ColorIncreasing',
  'ContrastIncreasing',
  'BrightnessIncreasing',
  'SharpnessIncreasing',
  'ShearX',
  'ShearY',
  'TranslateXRel',
  'TranslateYRel',
] as const satisfies readonly OpName[];

/** Changes of the first implementations: some grow weaker with the strength. */
export const PLAIN_OPS = [
  'AutoContrast',
  'Equalize',
  'Invert',
  'Rotate',
  'Posterize',
  'Solarize',
  'SolarizeAdd',
  'Color',
  'Contrast',
  'Brightness',
  'Sharpness',
  'ShearX',
  'ShearY',
  'TranslateXRel',
  'TranslateYRel',
] as const satisfies readonly OpName[];

/**
 * What `level` means to a change: degrees, bits, a threshold, a factor, a share of the side; 0 where it means nothing.
 *
 * @param rng draws the sign, where there is one
 */
export function argumentOf(name: OpName, level: number, rng: Rng): number {
  const op: Op = OPS[name];
  return op.level ? op.level(level, rng) : 0;
}

/**
 * The changed picture, of the same size; the one given may be changed too, or be returned itself.
 *
 * @param argument from `argumentOf`
 */
export function applyOp(name: OpName, picture: Picture, argument: number, around: Surroundings): Picture {
  const { change, move }: Op = OPS[name];
  change?.(picture, argument);
  return move ? move(picture, argument, around) : picture;
}
