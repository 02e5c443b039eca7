/**
 * The loader's own decoder gives the pixels of libjpeg-turbo, as the image library has them and, for files of many kinds,
 * Pillow. Fixtures: scripts/fixtures/make-jpeg-fixtures.py.
 */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Picture } from '#wave/data/picture.js';
import { drawFrom, encode, fixture, fixtures, isSame, libraryVerdict, ownPiece } from './support.js';
import { drawnJpeg } from './writer.js';

const hash = ({ data }: Picture) => createHash('sha256').update(data).digest('hex');

async function expectSame(bytes: Uint8Array, what: string): Promise<void> {
  const [found, expected] = [ownPiece(bytes), await libraryVerdict(bytes)];
  if (found === undefined || typeof expected === 'string') throw new Error(`${what}: ${found && expected}`);
  expect(isSame(found, expected), what).toBe(true);
}

describe('the pixels of a JPEG file', () => {
  it.each(fixtures)('are those of Pillow: $file', async ({ file, own, sha256 }) => {
    const bytes = fixture(file);
    const found = ownPiece(bytes);
    expect(found !== undefined).toBe(own);
    if (found) expect(hash(found)).toBe(sha256);
    const verdict = await libraryVerdict(bytes);
    expect(typeof verdict === 'string' ? null : hash(verdict)).toBe(sha256);
  });

  it('are those of the image library at every quality and many sizes', async () => {
    const draw = drawFrom(1);
    for (let quality = 1; quality <= 100; quality++) {
      for (const chromaSubsampling of ['4:4:4', '4:2:0']) {
        const [height, width, optimiseCoding] = [8 + draw(63), 8 + draw(63), draw(2) === 0];
        const noise = draw(4) === 0 ? 300 : 30;
        const bytes = await encode({ height, width, quality, chromaSubsampling, optimiseCoding, noise, seed: quality });
        await expectSame(bytes, `quality ${quality}, ${chromaSubsampling}, ${height}x${width}`);
      }
      const bytes = await encode({ height: 8 + draw(63), width: 8 + draw(63), channels: 1, quality, seed: quality });
      await expectSame(bytes, `grey, quality ${quality}`);
    }
  });

  it('are those of the image library where images are large', async () => {
    for (const [height, width, chromaSubsampling] of [
      [1201, 1603, '4:2:0'],
      [2047, 515, '4:4:4'],
      [9, 9001, '4:2:0'],
      [9001, 9, '4:2:0'],
    ] as const) {
      await expectSame(await encode({ height, width, chromaSubsampling, quality: 92 }), `${height}x${width}`);
    }
  });

  it.each([
    ['codes of any length', { shortest: 1, bits: 6, factor: 4 }],
    ['codes of more than ten bits alone', { shortest: 11, bits: 3, factor: 8 }],
    ['codes of sixteen bits alone', { shortest: 16, bits: 2, factor: 8 }],
  ] as const)('are those of the image library for drawn coefficients and %s', async (_name, limits) => {
    const draw = drawFrom(2);
    for (let i = 0; i < 150; i++) {
      const bytes = drawnJpeg({ draw, ...sizes(draw), ...limits });
      await expectSame(bytes, `file ${i}`);
    }
  });

  // What overflows depends on the processor, in the image library.
  it.skipIf(process.arch !== 'x64')('are those of the image library for coefficients that overflow', async () => {
    const draw = drawFrom(3);
    for (let i = 0; i < 200; i++) {
      const limits = { shortest: 2, bits: 11, factor: 255 };
      await expectSame(drawnJpeg({ draw, ...sizes(draw), ...limits }), `file ${i}`);
    }
  });
});

function sizes(draw: ReturnType<typeof drawFrom>) {
  const samplings = [[1, 1], [2, 1], [2, 2], undefined] as const;
  const sampling = samplings[draw(4)];
  return { height: 8 + draw(40), width: 8 + draw(40), interval: draw(3) * draw(4), ...(sampling && { sampling }) };
}
