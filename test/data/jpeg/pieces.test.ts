/** A piece of a JPEG file, resized, is what it would be had the whole image been decoded by the image library. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { INTERPOLATIONS } from '#wave/base/resize-choices.js';
import { resize8 } from '#wave/base/resize8.js';
import { decodePicture, greyOf } from '#wave/data/decode.js';
import { type Box, type Framing, type Picture, readPicture } from '#wave/data/picture.js';
import { encode, fixture, isSame, ownPiece } from './support.js';

const seed = 1;

interface Image {
  readonly name: string;
  readonly bytes: Buffer;
  readonly whole: Picture;
}
let images: readonly Image[];

beforeAll(async () => {
  const made = await Promise.all(
    [
      { height: 119, width: 150, chromaSubsampling: '4:2:0' },
      { height: 128, width: 96, chromaSubsampling: '4:2:0', quality: 60 },
      { height: 61, width: 83, chromaSubsampling: '4:4:4', quality: 95 },
      { height: 90, width: 70, channels: 1 as const },
    ].map(async (one) => [JSON.stringify(one), await encode({ quality: 85, ...one })] as const),
  );
  const files = [
    '422.jpg',
    '422-odd.jpg',
    '422-restarts.jpg',
    '420-restart-rows.jpg',
    '420-odd.jpg',
    'grey-restarts.jpg',
  ];
  const all = [...made, ...files.map((name) => [name, fixture(name)] as const)];
  images = await Promise.all(all.map(async ([name, bytes]) => ({ name, bytes, whole: await decodePicture(bytes) })));
});

/** From 0 to 1, evenly. */
const share = fc.noBias(fc.integer({ min: 0, max: 2 ** 24 })).map((part) => part / 2 ** 24);

/** A range of at least one pixel, often at the borders of blocks. */
const span = (size: number) =>
  fc.tuple(share, share, fc.boolean()).map(([part, place, isAligned]) => {
    const length = Math.max(1, Math.round(part * size));
    const start = Math.floor(place * (size - length));
    if (!isAligned) return { start, length };
    const at = start - (start % 8);
    return { start: at, length: Math.max(1, length - ((at + length) % 8)) };
  });

const boxIn = (height: number, width: number): fc.Arbitrary<Box> =>
  fc.tuple(span(height), span(width)).map(([down, across]) => ({
    top: down.start,
    left: across.start,
    height: down.length,
    width: across.length,
  }));

const all = (height: number, width: number): Box => ({ top: 0, left: 0, height, width });

const side = fc.integer({ min: 1, max: 70 });
const framings = ({ height, width }: Picture) =>
  fc
    .tuple(boxIn(height, width), side, side, fc.constantFrom(...INTERPOLATIONS), fc.constantFrom(0, 1, 2))
    .chain(([box, tall, wide, interpolation, kept]): fc.Arbitrary<Framing> => {
      // Sometimes the size stays along an axis.
      const size = [kept === 1 ? box.height : tall, kept === 2 ? box.width : wide] as const;
      return fc
        .option(boxIn(...size), { nil: undefined })
        .map((crop) => ({ box, size, interpolation, ...(crop && { crop }) }));
    });

describe('pieces of JPEG files', () => {
  it('are pixels of the whole', () => {
    const cases = fc.integer({ min: 0, max: images.length - 1 }).chain((index) => {
      const { height, width } = images[index].whole;
      return boxIn(height, width).map((box) => ({ index, box }));
    });
    fc.assert(
      fc.property(cases, ({ index, box }) => {
        const { bytes, whole, name } = images[index];
        const found = ownPiece(bytes, box);
        if (!found) throw new Error(`${name} is left to the image library`);
        expect(isSame(found, cutOf(whole, box))).toBe(true);
      }),
      { numRuns: 1500, seed },
    );
  });

  it.each([3, 1])('are resized as if cut out of the whole, in %i channels', async (channels) => {
    const cases = fc
      .integer({ min: 0, max: images.length - 1 })
      .chain((index) => framings(images[index].whole).map((framing) => ({ index, framing })));
    await fc.assert(
      fc.asyncProperty(cases, async ({ index, framing }) => {
        const { bytes, whole } = images[index];
        const { box = all(whole.height, whole.width), size, crop = all(...size), interpolation: filter } = framing;
        const found = await readPicture(bytes, { channels, frame: () => framing });
        const expected = resize8(channels === 1 ? greyOf(whole) : whole, { box, size, crop, filter });
        expect(found.channels).toBe(channels);
        expect(isSame(found, { ...expected })).toBe(true);
      }),
      { numRuns: 800, seed },
    );
  });

  it('ask for their frame once, whoever decodes', async () => {
    for (const name of ['420.jpg', 'progressive.jpg']) {
      const frame = vi.fn(
        (height: number, width: number) => ({ size: [height, width], interpolation: 'nearest' }) as const,
      );
      await readPicture(fixture(name), { channels: 3, frame });
      expect(frame.mock.calls).toEqual([[43, 57]]);
    }
    // The damage shows only when the frame is known.
    const damaged = fixture('420.jpg');
    damaged.fill(0xff, 700, 720);
    expect(ownPiece(damaged)).toBeUndefined();
    const frame = vi.fn(
      (height: number, width: number) => ({ size: [height, width], interpolation: 'nearest' }) as const,
    );
    await readPicture(damaged, { channels: 3, frame }).catch(() => undefined);
    expect(frame).toHaveBeenCalledOnce();
  });
});

function cutOf({ data, width: stride, channels }: Picture, { top, left, height, width }: Box): Picture {
  const rows = Array.from({ length: height }, (_, y) => {
    const from = ((top + y) * stride + left) * channels;
    return data.subarray(from, from + width * channels);
  });
  return { data: Buffer.concat(rows), height, width, channels };
}
