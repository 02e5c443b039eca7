/** Turning, shearing and shifting a picture, as timm asks Pillow for it. */
import type { Picture } from '../picture.js';
import { type Surroundings, warp } from './warp.js';

/** About the centre, counter-clockwise; the size stays. */
export function rotate(picture: Picture, degrees: number, around: Surroundings): Picture {
  const { height, width } = picture;
  const angle = -(((degrees % 360) + 360) % 360) * (Math.PI / 180);
  const [cos, sin] = [rounded(Math.cos(angle)), rounded(Math.sin(angle))];
  const [x, y] = [width / 2, height / 2];
  return warp(picture, [cos, sin, -x * cos - y * sin + x, -sin, cos, x * sin - y * cos + y], around);
}

/** Moves each row by `factor` times its distance from the top. */
export function shearX(picture: Picture, factor: number, around: Surroundings): Picture {
  return warp(picture, [1, factor, 0, 0, 1, 0], around);
}

/** Moves each column by `factor` times its distance from the left. */
export function shearY(picture: Picture, factor: number, around: Surroundings): Picture {
  return warp(picture, [1, 0, 0, factor, 1, 0], around);
}

/** To the left by that share of the width. */
export function translateX(picture: Picture, share: number, around: Surroundings): Picture {
  return warp(picture, [1, 0, share * picture.width, 0, 1, 0], around);
}

/** Upwards by that share of the height. */
export function translateY(picture: Picture, share: number, around: Surroundings): Picture {
  return warp(picture, [1, 0, 0, 0, 1, share * picture.height], around);
}

/** To 15 decimals, as Pillow rounds: right angles become exact. */
function rounded(value: number): number {
  return Number(value.toFixed(15));
}
