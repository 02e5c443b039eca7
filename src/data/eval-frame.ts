/** Which piece of an image a model sees: as torchvision resizes and crops for evaluation, to the pixel. */
import type { Preprocess } from '../model/spec.js';

/** Height and width, pixels. */
export type Size = readonly [height: number, width: number];

/** What is done to an image. */
export interface Frame {
  /** Size after resizing. */
  readonly size: Size;
  /** Where the piece that is kept begins in the resized image, and how large it is. */
  readonly crop: { readonly top: number; readonly left: number; readonly height: number; readonly width: number };
  /** Black pixels around it, where the resized image is smaller than the model's input. */
  readonly pad: { readonly top: number; readonly bottom: number; readonly left: number; readonly right: number };
}

/**
 * @param found size of the image
 * @param input size of the model's input
 */
export function evalFrame(found: Size, input: Size, { resize = [...input], resize_mode }: Partial<Preprocess>): Frame {
  const size = resize_mode === 'squash' ? resize : covering(found, resize);
  const [vertical, horizontal] = [along(size[0], input[0]), along(size[1], input[1])];
  return {
    size,
    crop: { top: vertical.start, height: vertical.kept, left: horizontal.start, width: horizontal.kept },
    pad: { top: vertical.before, bottom: vertical.after, left: horizontal.before, right: horizontal.after },
  };
}

/**
 * In proportion, until both sides are covered. For a square, torchvision's `Resize(side)`: the longer side loses its
 * fraction. For an oblong, timm's `ResizeKeepRatio`: both sides are rounded.
 */
function covering([height, width]: Size, [tall, wide]: Size): Size {
  if (tall === wide) {
    const longer = (long: number, short: number) => Math.trunc((tall * long) / short);
    return height <= width ? [tall, longer(width, height)] : [longer(height, width), wide];
  }
  const factor = Math.min(height / tall, width / wide);
  return [Math.max(1, roundHalfEven(height / factor)), Math.max(1, roundHalfEven(width / factor))];
}

/** The centre of one side: an odd rest is split as torchvision's `center_crop` does. */
function along(size: number, wanted: number) {
  const missing = Math.max(0, wanted - size);
  const before = Math.floor(missing / 2);
  const start = missing > 0 ? 0 : roundHalfEven((size - wanted) / 2);
  return { start, kept: Math.min(size, wanted), before, after: missing - before };
}

/** Python's `round`. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor + (floor % 2);
}
