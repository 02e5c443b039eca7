/** Which piece of an image a model sees: drawn at random in training, the centre in evaluation. */
import type { Rng } from '../base/rng.js';
import type { Box, Framing, Interpolation } from './picture.js';

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
  return centre(height, width, Math.min(tall, height), Math.min(wide, width));
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

/** The central piece; an odd rest lies as Pillow and torchvision put it. */
function centre(height: number, width: number, tall: number, wide: number): Box {
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
  readonly mode: 'shortest' | 'squash';
  readonly interpolation: Interpolation;
}

/** The framing of an image of this size in evaluation. */
export function evalFraming(settings: EvalFraming, height: number, width: number): Framing {
  const { image, resize, mode, interpolation } = settings;
  const size = mode === 'squash' ? resize : covering(resize, height, width);
  if (size[0] === image[0] && size[1] === image[1]) return { size, interpolation };
  return { size, interpolation, crop: centre(size[0], size[1], image[0], image[1]) };
}

/** In proportion: the side that needs the larger factor fits exactly, the other is cut off to whole pixels. */
function covering([tall, wide]: readonly [number, number], height: number, width: number): [number, number] {
  if (wide * height >= tall * width) return [Math.max(tall, Math.trunc((wide * height) / width)), wide];
  return [tall, Math.max(wide, Math.trunc((tall * width) / height))];
}
