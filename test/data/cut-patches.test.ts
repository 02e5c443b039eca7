/** The kernel of patches beside plain loops (`writeImage`, whose layout patches.test.ts has from PyTorch). */
import { describe, expect, it } from 'vitest';
import { writeImage, writePicture } from '#wave/data/patches.js';
import { drawFrom } from './jpeg/support.js';

describe('patches of pictures', () => {
  it.each([
    [1, 1, 1],
    [1, 7, 1],
    [5, 5, 5],
    [6, 9, 3],
    [14, 28, 7],
    [26, 39, 13],
    [32, 16, 16],
    // Smaller again: what larger ones left is not seen.
    [2, 2, 2],
  ])('are those of planes: %ix%i in patches of %i', (height, width, patch) => {
    const draw = drawFrom(height * width);
    const area = height * width;
    const table = Float32Array.from({ length: 3 * 256 }, () => draw(2 ** 24) / 2 ** 20);
    const shape = { batch: 2, channels: 3, height, width, patch };
    for (const sourceChannels of [3, 1]) {
      const planes = Uint8Array.from({ length: sourceChannels * area }, () => draw(256));
      const pixels = Uint8Array.from(planes, (_, i) => {
        return planes[(i % sourceChannels) * area + Math.floor(i / sourceChannels)];
      });
      for (const flip of [false, true]) {
        for (const slot of [0, 1]) {
          // The other slot is left as it is.
          const found = new Float32Array(2 * 3 * area).fill(-1);
          const expected = found.slice();
          writePicture(found, shape, slot, pixels, sourceChannels, flip, table);
          writeImage(expected, shape, slot, planes, sourceChannels, { top: 0, left: 0, flip }, table);
          expect(Buffer.compare(Buffer.from(found.buffer), Buffer.from(expected.buffer))).toBe(0);
        }
      }
    }
  });
});
