/**
 * Drawn images for tests and demonstrations: no files, any size, and easy to learn. The class sets the direction of a
 * striped texture and the shape it fills; place, size, phase, tint and noise vary from image to image. Only arithmetic
 * that IEEE 754 fixes is used, so the bytes are the same on every machine.
 */
import { createRng } from '../base/rng.js';

/** What is drawn. */
export interface Drawing {
  /** Height and width, pixels. */
  readonly image: number;
  readonly channels: number;
  readonly classes: number;
  readonly seed: number;
  /** Images of different splits differ. */
  readonly split: string;
}

/** Pixel values: stripes swing around the middle, noise adds at most its half-width. */
const BACKGROUND = 40;
const STRIPE_MIDDLE = 128;
const STRIPE_SWING = 96;
const NOISE = 16;
/** Stripes per image side; at least 4 pixels each, so that they survive small images. */
const STRIPES = 4;

/** Class of image `index`. */
export function drawnClass({ classes }: Drawing, index: number): number {
  return index % classes;
}

/** Draws image `index`, which depends on nothing else, into `out`, `[channels, image, image]`. */
export function drawImage(out: Uint8Array, drawing: Drawing, index: number): void {
  const { image, channels, classes, seed, split } = drawing;
  const label = drawnClass(drawing, index);
  const rng = createRng(seed, 'synthetic', split, index);
  // Half of the diamond |x| + |y| = 1, scaled to length one: a direction per class without sine or cosine.
  const along = 1 - (2 * label) / classes;
  const across = 1 - Math.abs(along);
  const length = Math.sqrt(along * along + across * across);
  const stripe = Math.max(4, image / STRIPES);
  const phase = rng.uniform();
  const centreY = image * (0.4 + 0.2 * rng.uniform());
  const centreX = image * (0.4 + 0.2 * rng.uniform());
  const radius = image * (0.28 + 0.1 * rng.uniform());
  const tint = Array.from({ length: channels }, () => 0.6 + 0.4 * rng.uniform());
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < image; y++) {
      for (let x = 0; x < image; x++) {
        const dy = y + 0.5 - centreY;
        const dx = x + 0.5 - centreX;
        const noise = rng.int(2 * NOISE + 1) - NOISE;
        let value = BACKGROUND;
        if (inside(label % 3, dy / radius, dx / radius)) {
          const t = (dx * along + dy * across) / (length * stripe) + phase;
          const wave = 1 - 4 * Math.abs(t - Math.floor(t) - 0.5);
          value = tint[c] * (STRIPE_MIDDLE + STRIPE_SWING * wave);
        }
        out[at++] = Math.min(255, Math.max(0, Math.round(value + noise)));
      }
    }
  }
}

/** Whether a point, in radii from the centre, lies in shape 0 (disc), 1 (square) or 2 (ring). */
function inside(shape: number, y: number, x: number): boolean {
  const squared = y * y + x * x;
  if (shape === 0) return squared <= 1;
  if (shape === 1) return Math.max(Math.abs(y), Math.abs(x)) <= 0.9;
  return squared <= 1.2 && squared >= 0.2;
}
