/**
 * Damaged JPEG files: the loader's own decoder leaves them to the image library, or takes them for what that takes them
 * for. As the library is set up, truncation and a wrong header are errors; what else is odd about the coded pixels is not,
 * and libjpeg makes something of it.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodePicture } from '#wave/data/decode.js';
import { fillCodeTable, TABLE_BYTES } from '#wave/data/jpeg/code-table.js';
import { readPicture } from '#wave/data/picture.js';
import {
  APP0,
  changed,
  cut,
  DHT,
  DQT,
  DRI,
  drawFrom,
  encode,
  fixture,
  isSame,
  joined,
  libraryVerdict,
  ownPiece,
  SOF,
  SOS,
  segmentsOf,
} from './support.js';
import { drawnJpeg } from './writer.js';

const seed = 1;
const RUNS = 150;
let files: readonly Buffer[];
/** Leaves other pixels in the memory of the decoder. */
let other: Buffer;

beforeAll(async () => {
  files = [
    await encode({ height: 61, width: 75, quality: 90, chromaSubsampling: '4:2:0' }),
    await encode({ height: 33, width: 41, quality: 95, chromaSubsampling: '4:4:4', optimiseCoding: false }),
    await encode({ height: 50, width: 57, channels: 1 }),
    drawnJpeg({
      draw: drawFrom(5),
      height: 40,
      width: 70,
      sampling: [2, 1],
      interval: 2,
      bits: 4,
      factor: 8,
      shortest: 2,
    }),
    ...['420-restarts.jpg', '444-restart-rows.jpg', '422.jpg', 'segments.jpg', 'grey-restarts.jpg'].map(fixture),
  ];
  other = await encode({ height: 300, width: 200, quality: 97, noise: 300, chromaSubsampling: '4:4:4' });
});

type Change = (bytes: Buffer) => Buffer;
/** From 0 to before 1, evenly. */
const at = fc.noBias(fc.integer({ min: 0, max: 2 ** 24 - 1 })).map((part) => part / 2 ** 24);
const byte = fc.integer({ min: 0, max: 255 });

const flip: fc.Arbitrary<Change> = fc
  .array(fc.tuple(at, byte), { minLength: 1, maxLength: 4 })
  .map((flips) => (bytes) => {
    const out = Buffer.from(bytes);
    for (const [place, value] of flips) out[Math.floor(place * out.length)] = value;
    return out;
  });

const flipHeader: fc.Arbitrary<Change> = fc.tuple(at, at, byte).map(([which, place, value]) => (bytes) => {
  const parts = segmentsOf(bytes);
  const { body, own } = parts[Math.floor(which * parts.length)];
  body[Math.floor(place * own)] = value;
  return joined(parts);
});

const flipBit: fc.Arbitrary<Change> = fc.tuple(at, fc.integer({ min: 0, max: 7 })).map(([place, bit]) => (bytes) => {
  const parts = segmentsOf(bytes);
  const { body, own } = parts[parts.length - 1];
  body[own + Math.floor(place * (body.length - own))] ^= 1 << bit;
  return joined(parts);
});

const truncate: fc.Arbitrary<Change> = fc.tuple(at, fc.boolean()).map(([place, isEnded]) => (bytes) => {
  const rest = bytes.subarray(0, Math.floor(place * bytes.length));
  return isEnded ? Buffer.concat([rest, Buffer.from([0xff, 0xd9])]) : rest;
});

const swap: fc.Arbitrary<Change> = fc.tuple(at, at).map(([one, two]) => (bytes) => {
  const parts = segmentsOf(bytes);
  const [i, j] = [one, two].map((place) => Math.floor(place * (parts.length - 1)));
  [parts[i], parts[j]] = [parts[j], parts[i]];
  return joined(parts);
});

const dropOrRepeat: fc.Arbitrary<Change> = fc.tuple(at, fc.boolean()).map(([which, isDropped]) => (bytes) => {
  const parts = segmentsOf(bytes);
  const i = Math.floor(which * (parts.length - 1));
  return joined([...parts.slice(0, isDropped ? i : i + 1), ...parts.slice(isDropped ? i + 1 : i)]);
});

const size = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom(7, 8, 16, 1000, 65_500, 65_535));
const resize: fc.Arbitrary<Change> = fc.tuple(size, size, fc.boolean()).map(
  ([height, width, isBoth]) =>
    (bytes) =>
      changed(bytes, SOF, (body) => {
        body.writeUInt16BE(height, 1);
        if (isBoth) body.writeUInt16BE(width, 3);
      }),
);

const restart: fc.Arbitrary<Change> = fc.tuple(at, fc.integer({ min: 0, max: 7 })).map(([place, number]) => (bytes) => {
  const i = bytes.indexOf(Buffer.from([0xff, SOS])) + 14;
  const where = i + Math.floor(place * (bytes.length - i));
  return Buffer.concat([bytes.subarray(0, where), Buffer.from([0xff, 0xd0 + number]), bytes.subarray(where)]);
});

const removeRestart: fc.Arbitrary<Change> = fc.integer({ min: 0, max: 7 }).map((number) => (bytes) => {
  const where = bytes.indexOf(Buffer.from([0xff, 0xd0 + number]));
  return where < 0 ? bytes : Buffer.concat([bytes.subarray(0, where), bytes.subarray(where + 2)]);
});

const interval: fc.Arbitrary<Change> = fc.integer({ min: 0, max: 20 }).map((units) => (bytes) => {
  const body = Buffer.from([0, units]);
  const parts = segmentsOf(bytes).filter(({ marker }) => marker !== DRI);
  return joined([{ marker: DRI, body, own: 2 }, ...parts]);
});

const noCode: fc.Arbitrary<Change> = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 16 }), byte), { minLength: 1, maxLength: 3 })
  .map(
    (counts) => (bytes) =>
      changed(bytes, DHT, (body) =>
        counts.forEach(([length, count]) => {
          body[length] = count;
        }),
      ),
  );

const changes = {
  flip,
  flipHeader,
  flipBit,
  truncate,
  swap,
  dropOrRepeat,
  resize,
  restart,
  removeRestart,
  interval,
  noCode,
};
/** Changes that no decoder can fail to see, but for chance. */
const RARE: ReadonlySet<string> = new Set(['truncate', 'restart', 'noCode']);

describe.each(Object.entries(changes))('files changed by %s', (name, change) => {
  it('are what the image library makes of them, or left to it', async () => {
    let taken = 0;
    const which = fc.nat({ max: 8 });
    await fc.assert(
      fc.asyncProperty(which, change, fc.option(change, { nil: undefined, freq: 3 }), async (index, one, two) => {
        const once = one(files[index]);
        // A second change has to find the segments that the first one may have broken.
        const bytes = two && name === 'flip' ? two(once) : once;
        ownPiece(other);
        const found = ownPiece(bytes);
        const expected = await libraryVerdict(bytes);
        const size = (height: number, width: number) => ({ size: [height, width], interpolation: 'nearest' }) as const;
        const read = readPicture(bytes, { channels: 3, frame: size });
        const message = await read.then(
          () => undefined,
          ({ message }: Error) => message as string,
        );
        expect(message).toBe(typeof expected === 'string' ? expected : undefined);
        if (!found) return;
        taken++;
        if (typeof expected === 'string') throw new Error(`taken, but the image library says: ${expected}`);
        // Coefficients may overflow, which depends on the processor, in the image library.
        if (process.arch === 'x64') expect(isSame(found, expected)).toBe(true);
      }),
      { numRuns: RUNS, seed },
    );
    // Otherwise nothing of the decoder was tested.
    if (!RARE.has(name)) expect(taken).toBeGreaterThan(RUNS / 20);
  });
});

describe('damage below a piece', () => {
  it('is seen by whoever wants the whole, and not by others', async () => {
    const bytes = await encode({ height: 400, width: 100, quality: 90, chromaSubsampling: '4:2:0' });
    const whole = await decodePicture(bytes);
    const box = { top: 10, left: 20, height: 60, width: 50 };
    const damaged = Buffer.from(bytes);
    // No marker, and no code of the usual tables either.
    damaged.fill(Buffer.from([0xff, 0x00]), bytes.length - 302, bytes.length - 2);
    const found = ownPiece(damaged, box);
    expect(found && isSame(found, cut(whole, box))).toBe(true);
    expect(ownPiece(damaged)).toBeUndefined();
    const all = { size: [400, 100], interpolation: 'nearest' } as const;
    const expected = await decodePicture(damaged);
    expect(isSame(await readPicture(damaged, { channels: 3, frame: () => all }), expected)).toBe(true);
    // The end of the file is looked for, whatever the piece.
    const truncated = bytes.subarray(0, bytes.length - 300);
    expect(ownPiece(truncated, box)).toBeUndefined();
    await expect(readPicture(truncated, { channels: 3, frame: () => all })).rejects.toThrow(/ends early$/);
  });
});

describe('headers that libjpeg refuses', () => {
  const set = (place: number, value: number) => (body: Buffer) => {
    body[place] = value;
  };
  it.each<[name: string, kind: number, change: (body: Buffer) => void]>([
    ['a table of factors of number 4', DQT, set(0, 4)],
    ['a code of number 4', DHT, set(0, 4)],
    ['a code that is neither for DC nor for AC', DHT, set(0, 0x20)],
    ['three codes of one bit', DHT, set(1, 3)],
    ['more symbols than the segment has', DHT, set(16, 255)],
    ['12 bits', SOF, set(0, 12)],
    ['no height', SOF, (body) => body.writeUInt16BE(0, 1)],
    ['no width', SOF, (body) => body.writeUInt16BE(0, 3)],
    ['five planes', SOF, set(5, 5)],
    ['no blocks', SOF, set(7, 0x01)],
    ['five blocks', SOF, set(7, 0x51)],
    ['an unknown table of factors', SOF, set(8, 3)],
    ['planes that the frame lacks', SOS, set(1, 77)],
    ['an unknown code', SOS, set(2, 0x22)],
  ])('are left to it: %s', async (_name, kind, change) => {
    for (const name of ['444.jpg', 'grey.jpg']) {
      const bytes = changed(fixture(name), kind, change);
      expect(ownPiece(bytes)).toBeUndefined();
      expect(await libraryVerdict(bytes)).toMatch(/^cannot be decoded as an image: /);
    }
  });

  it('are left to it: a code of all ones', async () => {
    // One and two codes of one bit.
    const [one, two] = [1, 2].map((count) => ({
      counts: Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? count : 0)),
      symbols: Uint8Array.from([0, 1].slice(0, count)),
    }));
    const table = new Int32Array(TABLE_BYTES / 4);
    expect(fillCodeTable(table, one, 'dc')).toBe(true);
    expect(fillCodeTable(table, two, 'dc')).toBe(false);
    const parts = segmentsOf(fixture('grey.jpg'));
    const body = Buffer.from([0, ...two.counts, ...two.symbols]);
    const scan = parts.length - 1;
    const bytes = joined([...parts.slice(0, scan), { marker: DHT, body, own: body.length }, parts[scan]]);
    const cause = { message: expect.stringMatching(/Bogus Huffman table definition/) };
    await expect(decodePicture(bytes)).rejects.toMatchObject({ cause });
  });

  it('and one that it does not heed', async () => {
    // JFIF means YCbCr, but only in a whole segment.
    const parts = segmentsOf(fixture('adobe-rgb.jpg'));
    const short = joined([{ marker: APP0, body: Buffer.from('JFIF\0'), own: 5 }, ...parts]);
    expect(ownPiece(short)).toBeUndefined();
  });
});
