/**
 * Pixels of evaluation beside those of Pillow and timm. Fixtures: scripts/fixtures/make-picture-fixtures.py.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Interpolation } from '#wave/base/resize-choices.js';
import { evalFraming } from '#wave/data/framing.js';
import { readPicture } from '#wave/data/picture.js';

const folder = new URL('fixtures/pictures/', import.meta.url);

interface Case {
  readonly file: string;
  readonly interpolation: Interpolation;
  readonly size: number;
  readonly crop_pct: number;
  readonly pixels: string;
}

const cases: Case[] = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8'));

/** A quarter of a step of 8 bits. */
const MOST_OF_JPEG = 1 / 1020;

async function read({ file, interpolation, size, crop_pct }: Case, channels = 3) {
  const before = Math.floor(size / crop_pct);
  const settings = { image: [size, size], resize: [before, before], mode: 'shortest', interpolation } as const;
  return readPicture(readFileSync(new URL(file, folder)), {
    channels,
    frame: (height, width) => evalFraming(settings, height, width),
  });
}

/** Mean absolute difference, 0..1. */
function difference(found: Uint8Array, expected: Uint8Array): number {
  expect(found.length).toBe(expected.length);
  return found.reduce((sum, value, i) => sum + Math.abs(value - expected[i]), 0) / found.length / 255;
}

describe('images of evaluation', () => {
  it.each(cases.filter(({ file }) => file !== 'grey-16.png'))(
    'are those of timm: $file, $interpolation, $size, crop $crop_pct',
    async (one) => {
      const { data } = await read(one);
      const expected = Buffer.from(one.pixels, 'base64');
      // Lossless files leave nothing to differ. Decoders of JPEG may, by a rounding here and there; those in use agree.
      expect(difference(data, expected)).toBeLessThanOrEqual(one.file.endsWith('.jpg') ? MOST_OF_JPEG : 0);
    },
  );

  it('keep the upper byte of 16-bit grey, where Pillow turns all but the darkest white', async () => {
    const one = cases.find(({ file }) => file === 'grey.png') as Case;
    const [deep, plain] = await Promise.all([read({ ...one, file: 'grey-16.png' }), read(one)]);
    expect(deep.data).toEqual(plain.data);
  });

  it('of a one-channel model are grey before they are resized', async () => {
    const one = cases.find(({ file }) => file === 'grey.png') as Case;
    const [grey, colour] = await Promise.all([read(one, 1), read(one)]);
    expect(grey.channels).toBe(1);
    expect(grey.data).toEqual(colour.data.filter((_, i) => i % 3 === 0));
  });
});

describe('what is no image', () => {
  it.each([
    ['broken-empty.jpg', /^the file is empty$/],
    ['broken-text.jpg', /^cannot be decoded as an image: .*unsupported image format$/],
    ['broken-truncated.jpg', /^cannot be decoded as an image: the JPEG file ends early$/],
    ['broken-truncated.png', /^cannot be decoded as an image: the PNG file ends early$/],
    ['broken-bomb.png', /^cannot be decoded as an image: Input image exceeds pixel limit of 100000000$/],
    ['broken-bomb.jpg', /^cannot be decoded as an image: Input image exceeds pixel limit of 100000000$/],
  ])('%s is told in one line', async (file, message) => {
    await expect(read({ ...cases[0], file })).rejects.toThrow(message);
  });
});
