/** Pixels brought into the form in which they are changed: channels innermost, shifted and mirrored. */
import type { Picture } from '../picture.js';
import type { RawShape } from '../records.js';
import type { Draw } from '../transforms.js';

/**
 * A picture from planes, shifted and mirrored as `writeImage` would; pixels from beyond the border are black.
 *
 * @param planes `[channels, height, width]`; left as they are
 */
export function pictureFrom(planes: Uint8Array, { channels, height, width }: RawShape, draw: Draw): Picture {
  const data = new Uint8Array(height * width * channels);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const fromY = y + draw.top;
      if (fromY < 0 || fromY >= height) continue;
      const row = (c * height + fromY) * width;
      for (let x = 0; x < width; x++) {
        const fromX = (draw.flip ? width - 1 - x : x) + draw.left;
        if (fromX >= 0 && fromX < width) data[(y * width + x) * channels + c] = planes[row + fromX];
      }
    }
  }
  return { data, height, width, channels };
}

/** Mirrors a picture left to right, in place. */
export function mirror({ data, height, width, channels }: Picture): void {
  for (let y = 0; y < height; y++) {
    let left = y * width * channels;
    let right = left + (width - 1) * channels;
    for (; left < right; left += channels, right -= channels) {
      for (let c = 0; c < channels; c++) {
        const held = data[left + c];
        data[left + c] = data[right + c];
        data[right + c] = held;
      }
    }
  }
}

/** A picture of one channel with that repeated; any other as it is. */
export function inChannels(picture: Picture, channels: number): Picture {
  if (picture.channels === channels || picture.channels !== 1) return picture;
  const data = new Uint8Array(picture.data.length * channels);
  for (let i = 0; i < data.length; i++) data[i] = picture.data[Math.floor(i / channels)];
  return { ...picture, data, channels };
}
