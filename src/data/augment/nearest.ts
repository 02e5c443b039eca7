/** Affine maps without a filter, in Pillow's two ways: it counts in 1/65536 of a pixel unless rows and columns stay. */
import type { Picture } from '../picture.js';
import type { Affine } from './warp.js';

const ONE = 65_536;

/** Pixels that lie outside are left as they are in `out`. */
export function nearestAt(picture: Picture, map: Affine, out: Uint8ClampedArray): void {
  const { data, height, width, channels } = picture;
  const [a, b, c, d, e, f] = map;
  // A map of rows to rows is counted in whole floats there.
  const unit = b === 0 && d === 0 ? 1 : ONE;
  const step = unit === 1 ? (value: number) => value : (value: number) => Math.floor(value * ONE + 0.5);
  const [stepX, stepY] = [step(a), step(d)];
  let startX = step(c + a * 0.5 + b * 0.5);
  let startY = step(f + d * 0.5 + e * 0.5);
  let to = 0;
  for (let y = 0; y < height; y++) {
    let [atX, atY] = [startX, startY];
    for (let x = 0; x < width; x++, to += channels) {
      const [fromX, fromY] = [Math.floor(atX / unit), Math.floor(atY / unit)];
      atX += stepX;
      atY += stepY;
      if (fromX < 0 || fromX >= width || fromY < 0 || fromY >= height) continue;
      const from = (fromY * width + fromX) * channels;
      for (let channel = 0; channel < channels; channel++) out[to + channel] = data[from + channel];
    }
    startX += step(b);
    startY += step(e);
  }
}
