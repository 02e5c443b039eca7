/** Random brightness, contrast and saturation, as torchvision's ColorJitter. */
import type { Rng } from '../../base/rng.js';
import type { Picture } from '../picture.js';
import { brightness, color, contrast } from './enhance.js';

const CHANGES = [brightness, contrast, color];

/** Factors of the three changes, and the order in which they are made. */
export interface JitterDraw {
  /** Of brightness, contrast and saturation, 1 = unchanged. */
  readonly factors: readonly number[];
  /** Positions in `factors`. */
  readonly order: Uint8Array;
}

/**
 * The choices for one picture.
 *
 * @param strength factors are uniform in 1 - strength .. 1 + strength, never below 0
 */
export function drawJitter(strength: number, rng: Rng): JitterDraw {
  const least = Math.max(0, 1 - strength);
  const factors = CHANGES.map(() => least + (1 + strength - least) * rng.uniform());
  return { factors, order: rng.shuffle(Uint8Array.from(CHANGES.keys())) };
}

/** Changes a picture in place. */
export function applyJitter(picture: Picture, { factors, order }: JitterDraw): void {
  for (const which of order) CHANGES[which](picture, factors[which]);
}
