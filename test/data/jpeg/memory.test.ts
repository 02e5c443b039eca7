/** The memory of the decoder grows to what the largest image needs, and no further; larger ones are left to the library. */
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readPicture } from '#wave/data/picture.js';
import { changed, encode, libraryVerdict, ownPiece, SOF } from './support.js';

const MIB = 2 ** 20;
/** What all memories of WebAssembly inherit; Node's types lack it. */
const memory = (globalThis as unknown as { WebAssembly: { Memory: { prototype: { grow(pages: number): number } } } })
  .WebAssembly.Memory.prototype;

afterEach(() => {
  vi.restoreAllMocks();
});

/** A large file that is quickly made. */
const plain = (height: number, width: number, chromaSubsampling: string) =>
  sharp({ create: { height, width, channels: 3, background: '#a63' } })
    .jpeg({ chromaSubsampling })
    .toBuffer();

describe('the memory of the decoder', () => {
  it('is bounded, whatever the images, and used again', async () => {
    const grow = vi.spyOn(memory, 'grow');
    const files = await Promise.all([
      plain(2896, 2896, '4:4:4'),
      plain(65_500, 120, '4:4:4'),
      plain(120, 65_500, '4:2:0'),
      plain(2000, 3000, '4:2:0'),
    ]);
    for (let i = 0; i < 64; i++) {
      if (i === files.length) grow.mockClear();
      expect(ownPiece(files[i % files.length]) === undefined).toBe(false);
      if (i === files.length - 1) {
        const pages = grow.mock.calls.reduce((sum, [more]) => sum + more, 0);
        expect(pages * 65_536).toBeGreaterThan(3 * 2 ** 23);
        expect(pages * 65_536).toBeLessThan(112 * MIB);
      }
    }
    expect(grow).not.toHaveBeenCalled();
  });

  it('is not claimed for pieces and files that are too large', async () => {
    const large = await plain(2912, 2912, '4:2:0');
    expect(ownPiece(large)).toBeUndefined();
    expect(ownPiece(large, { top: 100, left: 50, height: 900, width: 800 })?.data.length).toBe(900 * 800 * 3);
    const small = await encode({ height: 40, width: 40 });
    const [fits, long] = [2 ** 24 - small.length, 2 ** 24].map((more) => Buffer.concat([small, Buffer.alloc(more)]));
    expect(ownPiece(fits)).toBeDefined();
    expect(ownPiece(long)).toBeUndefined();
    expect(typeof (await libraryVerdict(long))).toBe('object');
  });

  it('is not claimed for what a header promises', async () => {
    const grow = vi.spyOn(memory, 'grow');
    // A restart after each unit of a huge image.
    const bomb = changed(await encode({ height: 40, width: 40 }), SOF, (body) => {
      body.writeUInt16BE(50_000, 1);
      body.writeUInt16BE(50_000, 3);
    });
    const restarting = Buffer.concat([bomb.subarray(0, 2), Buffer.from([0xff, 0xdd, 0, 4, 0, 1]), bomb.subarray(2)]);
    for (const bytes of [bomb, restarting]) {
      const frame = vi.fn();
      await expect(readPicture(bytes, { channels: 3, frame })).rejects.toThrow(
        /^cannot be decoded as an image: Input image exceeds pixel limit of 100000000$/,
      );
      expect(frame).not.toHaveBeenCalled();
    }
    expect(grow).not.toHaveBeenCalled();
  });
});
