/** Which piece of an image a model sees: drawn at random in training, the centre in evaluation. */

import type { Interpolation, ResizeMode } from '../base/resize-choices.js';
import type { Rng } from '../base/rng.js';
import type { Box, Framing } from './picture.js';

/** Filters of training images; `random`: bilinear or bicubic, drawn for each image. */
export type TrainInterpolation = Interpolation | 'random';

/** Random pieces of training images, resized to the model's input (Szegedy et al. 2015; torchvision's defaults). */
export interface RandomResizedCrop {
  /** Smallest and largest share of the image's area. */
  readonly scale: readonly [number, number];
  /** Smallest and largest width over height. */
  readonly ratio: readonly [number, number];
}

/** Tries before a central piece is taken instead, as in torchvision. */
const TRIES = 10;

/**
 * A random piece of an image: area uniform in `scale`, aspect ratio log-uniform in `ratio`, place uniform; when ten draws do
 * not fit, the largest central piece of an allowed ratio (torchvision's `RandomResizedCrop`).
 */
export function randomBox({ scale, ratio }: RandomResizedCrop, height: number, width: number, rng: Rng): Box {
  const [least, most] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let i = 0; i < TRIES; i++) {
    const area = height * width * between(scale[0], scale[1], rng);
    const aspect = Math.exp(between(least, most, rng));
    const wide = Math.round(Math.sqrt(area * aspect));
    const tall = Math.round(Math.sqrt(area / aspect));
    if (wide < 1 || tall < 1 || wide > width || tall > height) continue;
    const top = rng.int(height - tall + 1);
    return { top, left: rng.int(width - wide + 1), height: tall, width: wide };
  }
  const own = width / height;
  const wide = own > ratio[1] ? Math.round(height * ratio[1]) : width;
  const tall = own < ratio[0] ? Math.round(width / ratio[0]) : height;
  return centre(height, width, tall, wide);
}

/** The framing of a training image that pieces are taken of. */
export function trainFraming(
  crop: RandomResizedCrop,
  settings: { readonly image: readonly [number, number]; readonly interpolation: TrainInterpolation },
  { height, width, rng }: { readonly height: number; readonly width: number; readonly rng: Rng },
): Framing {
  const { image: size, interpolation } = settings;
  const box = randomBox(crop, height, width, rng);
  if (interpolation !== 'random') return { box, size, interpolation };
  return { box, size, interpolation: rng.int(2) === 0 ? 'bilinear' : 'bicubic' };
}

function between(from: number, to: number, rng: Rng): number {
  return from + (to - from) * rng.uniform();
}

/** The central piece, at most the whole; an odd rest lies as Pillow and torchvision put it. */
function centre(height: number, width: number, wantedTall: number, wantedWide: number): Box {
  const [tall, wide] = [Math.min(wantedTall, height), Math.min(wantedWide, width)];
  const half = (rest: number) => roundHalfEven(rest / 2);
  return { top: half(height - tall), left: half(width - wide), height: tall, width: wide };
}

/** Python's rounding. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

/** How evaluation images are framed. */
export interface EvalFraming {
  /** Height and width of the model's input. */
  readonly image: readonly [number, number];
  /** Height and width that images are resized to before the centre is taken. */
  readonly resize: readonly [number, number];
  /** `shortest`: in proportion, until both sides are at least those; `squash`: to exactly those. */
  readonly mode: ResizeMode;
  readonly interpolation: Interpolation;
}

/**
 * The framing of an image of this size in evaluation: the centre of the resized image, on black where that is smaller than
 * the input (an odd pixel of it at the end), as torchvision's `CenterCrop`.
 */
export function evalFraming(settings: EvalFraming, height: number, width: number): Framing {
  const { image, resize, mode, interpolation } = settings;
  const size = mode === 'squash' ? resize : covering(resize, height, width);
  if (size[0] === image[0] && size[1] === image[1]) return { size, interpolation };
  const crop = centre(size[0], size[1], image[0], image[1]);
  const [below, beside] = [image[0] - crop.height, image[1] - crop.width];
  if (below === 0 && beside === 0) return { size, interpolation, crop };
  const canvas = { top: Math.floor(below / 2), left: Math.floor(beside / 2), height: image[0], width: image[1] };
  return { size, interpolation, crop, canvas };
}

/**
 * In proportion, until both sides are covered. For a square, torchvision's `Resize(side)`: the longer side loses its
 * fraction. For an oblong, timm's `ResizeKeepRatio`: both sides are rounded.
 */
function covering([tall, wide]: readonly [number, number], height: number, width: number): [number, number] {
  if (tall === wide) {
    const longer = (long: number, short: number) => Math.trunc((tall * long) / short);
    return height <= width ? [tall, longer(width, height)] : [longer(height, width), wide];
  }
  const factor = Math.min(height / tall, width / wide);
  return [Math.max(1, roundHalfEven(height / factor)), Math.max(1, roundHalfEven(width / factor))];
}
