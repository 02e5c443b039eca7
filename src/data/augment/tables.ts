/** Changes of a picture in which every value follows from the old one by a table of 256, as Pillow's ImageOps has them. */
import type { Picture } from '../picture.js';
import { replaceIn } from './values-kernel.js';

/**
 * Replaces every value, in place.
 *
 * @param table `[256]`, the same for all channels, or `[channels, 256]`.
 */
export function replaceValues(picture: Picture, table: Uint8Array): void {
  const { data, channels } = picture;
  if (table.length === 256 || channels === 3) {
    replaceIn(picture, table);
    return;
  }
  for (let c = 0; c < channels; c++) {
    for (let i = c; i < data.length; i += channels) data[i] = table[c * 256 + data[i]];
  }
}

/** A table from its rule. */
export function tableOf(rule: (value: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, value) => rule(value));
}

const INVERSE = tableOf((value) => 255 - value);

export function invert(picture: Picture): void {
  replaceValues(picture, INVERSE);
}

/** Keeps the highest `bits` of 8; with none left the picture is black, as before Pillow 13 refused that. */
export function posterize(picture: Picture, bits: number): void {
  if (bits >= 8) return;
  const mask = bits <= 0 ? 0 : 256 - 2 ** (8 - bits);
  replaceValues(
    picture,
    tableOf((value) => value & mask),
  );
}

/** Inverts values from `threshold` on. */
export function solarize(picture: Picture, threshold: number): void {
  replaceValues(
    picture,
    tableOf((value) => (value < threshold ? value : 255 - value)),
  );
}

/** Adds `amount` to the darker half of the values, up to 255. */
export function solarizeAdd(picture: Picture, amount: number): void {
  replaceValues(
    picture,
    tableOf((value) => (value < 128 ? Math.min(255, value + amount) : value)),
  );
}

/** Stretches each channel until its darkest value is 0 and its brightest 255. */
export function autoContrast(picture: Picture): void {
  const counts = histogram(picture);
  const table = new Uint8Array(counts.length);
  for (let c = 0; c < table.length; c += 256) {
    let low = 0;
    let high = 255;
    while (low < 255 && counts[c + low] === 0) low++;
    while (high > 0 && counts[c + high] === 0) high--;
    const scale = high > low ? 255 / (high - low) : 1;
    const offset = high > low ? -low * scale : 0;
    for (let value = 0; value < 256; value++) {
      table[c + value] = Math.min(255, Math.max(0, Math.trunc(value * scale + offset)));
    }
  }
  replaceValues(picture, table);
}

/** Spreads the values of each channel until all are about equally frequent. */
export function equalize(picture: Picture): void {
  const counts = histogram(picture);
  const table = new Uint8Array(counts.length);
  for (let c = 0; c < table.length; c += 256) {
    let highest = 255;
    while (highest > 0 && counts[c + highest] === 0) highest--;
    const others = picture.height * picture.width - counts[c + highest];
    const step = Math.floor(others / 255);
    let below = Math.floor(step / 2);
    for (let value = 0; value < 256; value++) {
      table[c + value] = step === 0 ? value : Math.min(255, Math.floor(below / step));
      below += counts[c + value];
    }
  }
  replaceValues(picture, table);
}

/** How often each value occurs, `[channels, 256]`. */
function histogram({ data, channels }: Picture): Uint32Array {
  const counts = new Uint32Array(channels * 256);
  if (channels === 3) {
    for (let i = 0; i < data.length; i += 3) {
      counts[data[i]]++;
      counts[256 + data[i + 1]]++;
      counts[512 + data[i + 2]]++;
    }
    return counts;
  }
  for (let c = 0; c < channels; c++) {
    for (let i = c; i < data.length; i += channels) counts[c * 256 + data[i]]++;
  }
  return counts;
}
