/** Why a file cannot be decoded: the same words each time, however many files fail at a time. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { damageOf } from '#wave/data/damage.js';
import { decodePicture } from '#wave/data/decode.js';

const picture = (name: string) => readFileSync(new URL(`fixtures/pictures/${name}`, import.meta.url));

const early = (kind: string) => `the ${kind} file ends early`;
const damaged = (kind: string) => `the ${kind} file is damaged, or of a kind that cannot be decoded`;

/** With zeros over its second half, but for its end. */
function zeroed(bytes: Buffer, end = 12): Buffer {
  return Buffer.from(bytes).fill(0, bytes.length >> 1, bytes.length - end);
}

/** The same at every run. The palette of its GIF holds the number by which a GIF file ends. */
const WIDTH = 64;
const HEIGHT = 48;
const pixels = Buffer.from(Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24));
const drawn = sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const encoded = async (format: 'jpeg' | 'png' | 'gif' | 'webp') => drawn.clone().toFormat(format).toBuffer();

describe('the reason for a file that cannot be decoded', () => {
  it('is the same for many at a time as for one alone', async () => {
    const jpeg = await encoded('jpeg');
    const png = await encoded('png');
    const files: [bytes: Uint8Array, reason: string][] = [
      [picture('broken-truncated.jpg'), early('JPEG')],
      [picture('broken-truncated.png'), early('PNG')],
      [jpeg.subarray(0, 200), early('JPEG')],
      [jpeg.subarray(0, jpeg.length - 200), early('JPEG')],
      [zeroed(png), damaged('PNG')],
      [picture('broken-text.jpg'), 'Input buffer contains unsupported image format'],
      [picture('broken-bomb.png'), 'Input image exceeds pixel limit of 100000000'],
    ];
    const reasonOf = ([bytes]: (typeof files)[number]) =>
      decodePicture(bytes).then(
        () => 'none',
        (error: Error) => error.message,
      );
    const many = Array.from({ length: 100 }, () => files).flat();
    const found = await Promise.all(many.map(reasonOf));
    expect(found).toEqual(many.map(([, reason]) => `cannot be decoded as an image: ${reason}`));
  });

  it.each(['jpeg', 'png', 'gif', 'webp'] as const)('tells a missing end from damage: %s', async (format) => {
    const bytes = await encoded(format);
    const name = { jpeg: 'JPEG', png: 'PNG', gif: 'GIF', webp: 'WebP' }[format];
    expect(damageOf(bytes)).toBe(damaged(name));
    expect(damageOf(zeroed(bytes))).toBe(damaged(name));
    for (const length of [16, 40]) expect(damageOf(bytes.subarray(0, length))).toBe(early(name));
    if (format !== 'gif') expect(damageOf(bytes.subarray(0, bytes.length - 20))).toBe(early(name));
  });

  it('heeds the end of a JPEG, not that of a small one within it', async () => {
    const own = await encoded('jpeg');
    const inner = Buffer.from([0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9]);
    const bytes = Buffer.concat([own.subarray(0, 2), inner, own.subarray(2)]);
    expect(damageOf(bytes)).toBe(damaged('JPEG'));
    expect(damageOf(bytes.subarray(0, bytes.length - 2))).toBe(early('JPEG'));
  });

  it('of other files says less', () => {
    expect(damageOf(Buffer.from('II*\0'))).toBe('the file is damaged, or of a kind that cannot be decoded');
  });
});
