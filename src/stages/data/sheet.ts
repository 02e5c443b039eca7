/** Lays images out in rows, each with lines of text below it. */
import { GLYPH_ADVANCE, GLYPH_HEIGHT, GLYPH_WIDTH, glyphPixel } from './glyphs.js';

/** An image and what is written below it. */
export interface Tile {
  /** `[height, width, 3]` */
  readonly rgb: Uint8Array;
  /** Lines. */
  readonly label: readonly string[];
}

/** `[height, width, 3]` */
export interface Sheet {
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
}

/** Smaller images are enlarged, in whole numbers, to about this width, pixels. */
const LEAST_WIDTH = 96;
/** From this width on, pixels, labels are twice as large. */
const LARGE_WIDTH = 192;
/** Around images, pixels. */
const GAP = 6;
/** Between lines, pixels of a character. */
const LEADING = 3;
const PAPER = 255;
const INK = 32;
const LINES = 2;

/** @param size of the images, pixels; and images in a row */
export function drawSheet(
  tiles: readonly Tile[],
  { height, width, columns }: { readonly height: number; readonly width: number; readonly columns: number },
): Sheet {
  const factor = Math.max(1, Math.floor(LEAST_WIDTH / width));
  const [tall, wide] = [height * factor, width * factor];
  const letter = wide >= LARGE_WIDTH ? 2 : 1;
  const line = (GLYPH_HEIGHT + LEADING) * letter;
  const row = tall + LINES * line + GAP;
  const sheet = {
    height: GAP + row * Math.ceil(tiles.length / columns),
    width: GAP + (wide + GAP) * columns,
  };
  const pixels = new Uint8Array(sheet.height * sheet.width * 3).fill(PAPER);
  const brush: Brush = { pixels, width: sheet.width };
  tiles.forEach(({ rgb, label }, i) => {
    const top = GAP + row * Math.floor(i / columns);
    const left = GAP + (wide + GAP) * (i % columns);
    enlarge(brush, rgb, { top, left, height, width, factor });
    label.slice(0, LINES).forEach((text, place) => {
      const most = Math.floor((wide + letter) / (GLYPH_ADVANCE * letter));
      write(brush, shorten(text, most), { top: top + tall + place * line + LEADING, left, letter });
    });
  });
  return { pixels, ...sheet };
}

interface Brush {
  readonly pixels: Uint8Array;
  readonly width: number;
}

function enlarge(
  { pixels, width: stride }: Brush,
  rgb: Uint8Array,
  { top, left, height, width, factor }: Record<'top' | 'left' | 'height' | 'width' | 'factor', number>,
): void {
  for (let y = 0; y < height * factor; y++) {
    let at = ((top + y) * stride + left) * 3;
    const from = Math.floor(y / factor) * width * 3;
    for (let x = 0; x < width * factor; x++) {
      const source = from + Math.floor(x / factor) * 3;
      for (let c = 0; c < 3; c++) pixels[at++] = rgb[source + c];
    }
  }
}

/** The characters of a text as far as they fit; a dot stands for what does not. */
function shorten(text: string, most: number): string[] {
  const characters = [...text];
  return characters.length <= most ? characters : [...characters.slice(0, Math.max(0, most - 1)), '.'];
}

function write(
  { pixels, width }: Brush,
  text: readonly string[],
  { top, left, letter }: Record<'top' | 'left' | 'letter', number>,
): void {
  text.forEach((character, place) => {
    for (let y = 0; y < GLYPH_HEIGHT * letter; y++) {
      for (let x = 0; x < GLYPH_WIDTH * letter; x++) {
        if (!glyphPixel(character, Math.floor(y / letter), Math.floor(x / letter))) continue;
        const at = ((top + y) * width + left + place * GLYPH_ADVANCE * letter + x) * 3;
        pixels.fill(INK, at, at + 3);
      }
    }
  });
}
