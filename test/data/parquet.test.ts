import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '#wave/base/errors.js';
import { dataSchema } from '#wave/config/index.js';
import { Loader, openData } from '#wave/data/index.js';
import { openParquet, type ParquetOptions } from '#wave/data/parquet.js';
import { openRecords, recordName, relativeName } from '#wave/data/records.js';
import { asBomb, fixture, imagesOf, numbers, readRecord, temporaryFolder } from './source-support.js';

const folder = temporaryFolder();
const open = (names: string | string[], options: Partial<ParquetOptions> = {}) =>
  openParquet(
    [names].flat().map((name) => (name.startsWith('/') ? name : fixture(name))),
    { columns: { image: null, label: null }, classes: null, onBroken: 'fail', channels: 3, ...options },
  );

const TRAIN = ['train-00000-of-00002.parquet', 'train-00001-of-00002.parquet'];

function changed(change: (bytes: Buffer) => Buffer, name = TRAIN[0]): string {
  const path = join(folder, `${Math.random()}.parquet`);
  writeFileSync(path, change(readFileSync(fixture(name))));
  return path;
}

describe('openParquet', () => {
  it('takes what Hugging Face publishes: images, classes and their names', async () => {
    const source = await open(TRAIN);
    expect(source).toMatchObject({ count: 16, classes: 3, classNames: ['cat', 'dog', 'owl'], channels: 3 });
    expect([...source.labels]).toEqual(numbers(16).map((i) => i % 3));
    expect(await imagesOf(source)).toEqual(numbers(16));
    expect(recordName(source.records, 11)).toBe(`${fixture(TRAIN[1])}: row 1`);
    expect(relativeName(source.records, 11)).toBe(`${TRAIN[1]} 1`);
    expect([...(source.blocks?.of ?? [])]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4]);
  });

  it.each(['codec-none', 'codec-gzip', 'codec-brotli', 'codec-zstd', 'codec-lz4', 'page-v2', 'plain'])(
    'reads %s',
    async (name) => {
      const source = await open(`${name}.parquet`);
      expect(await imagesOf(source)).toEqual(numbers(5));
      expect([...source.labels]).toEqual([0, 1, 2, 0, 1]);
    },
  );

  it('finds columns by their types', async () => {
    expect(await imagesOf(await open('binary.parquet', { classes: 3 }))).toEqual(numbers(5));
    expect(await imagesOf(await open('large-binary.parquet', { classes: 3 }))).toEqual(numbers(5));
  });

  it('asks which column is meant, and takes the one that is named', async () => {
    await expect(open('two-labels.parquet')).rejects.toThrow(
      /two-labels\.parquet: has several columns that may be classes \("fine", "coarse"\); set data\.parquet\.label$/,
    );
    const coarse = await open('two-labels.parquet', { columns: { image: 'image', label: 'coarse' } });
    expect(coarse.classNames).toEqual(['animal', 'bird', 'plant']);
  });

  it.each([
    ['binary.parquet', {}, /binary\.parquet: does not name its classes; give data\.classes or data\.class_names$/],
    [
      'no-image.parquet',
      {},
      /has no column of images, which would be binary, .*its columns are "text" \(STRING\), "label"/,
    ],
    [
      'no-label.parquet',
      {},
      /has no column of classes, which would be whole numbers; its columns are "image" \(a group of/,
    ],
    [
      TRAIN[0],
      { columns: { image: 'photo', label: null } },
      /has no column "photo", only "image", "label"; correct data\.p/,
    ],
    [TRAIN[0], { columns: { image: 'label', label: null } }, /column "label" is INT64, expected binary, or a group/],
    [
      TRAIN[0],
      { columns: { image: null, label: 'image' } },
      /column "image" is a group of "bytes", "path", expected whole/,
    ],
    [
      'paths.parquet',
      { classes: 3 },
      /row group 0 holds no images: column "image" is empty or has paths only; write the/,
    ],
    [
      'hidden-labels.parquet',
      {},
      /: row 1: has the class -1 \(a split published without classes\), .*set data\.on_broken/,
    ],
    ['none.parquet', {}, /none\.parquet: no such file or folder; check the path$/],
  ])('refuses %s, %j', async (name, options, message) => {
    await expect(open(name, options)).rejects.toThrow(message);
    await expect(open(name, options)).rejects.toBeInstanceOf(DataError);
  });

  it('leaves out rows without a class when it may, and tells them', async () => {
    const source = await open('hidden-labels.parquet', { onBroken: 'skip' });
    expect(await imagesOf(source)).toEqual([0, 2, 4]);
    expect([...source.labels]).toEqual([0, 2, 1]);
    expect(source.leftOut?.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^has the class -1/),
      'has no class',
    ]);
  });

  it('tells why when no row is left', async () => {
    const path = changed((bytes) => {
      // Of the row groups' dictionaries of classes, 0 1 2 and 1, where they are not compressed.
      const whole = (...values: bigint[]) => Buffer.from(BigInt64Array.from(values).buffer);
      whole(7n, 8n, 9n).copy(bytes, bytes.indexOf(whole(0n, 1n, 2n)));
      for (let at = bytes.indexOf(whole(1n)); at >= 0; at = bytes.indexOf(whole(1n), at)) whole(8n).copy(bytes, at);
      return bytes;
    }, 'codec-none.parquet');
    await expect(open(path, { onBroken: 'skip' })).rejects.toThrow(
      /: holds no row that has a class: 5 left out, the first, .*parquet: row 0, has the class 7, which is not one of 3 \(0 to 2\); correct data\.parquet or/,
    );
  });

  it('finds a decompression bomb when its image is read, from its header', async () => {
    const source = await open(changed(asBomb, 'codec-none.parquet'));
    const reader = openRecords(source.records);
    await expect(readRecord(reader, 0)).rejects.toThrow(/Input image exceeds pixel limit of 100000000$/);
    await expect(readRecord(reader, 1)).resolves.toMatchObject({ channels: 3 });
    await reader.close();
  });

  it('refuses files of other classes', async () => {
    await expect(open([TRAIN[0], 'renamed.parquet'])).rejects.toThrow(
      /renamed\.parquet: class 1 is "fox", in .*00000-of-00002\.parquet "dog"; name files of one data set$/,
    );
  });

  it('never follows a path', async () => {
    const source = await open('some-paths.parquet');
    const reader = openRecords(source.records);
    await expect(reader.read(2)).rejects.toThrow(/^holds the path of another file in place of an image; write/);
    await expect(reader.read(1)).resolves.toBeInstanceOf(Uint8Array);
    await reader.close();
  });

  it.each([
    ['a text', () => changed(() => Buffer.from('hello, this is text')), /is not a Parquet file$/],
    ['nothing', () => changed(() => Buffer.alloc(0)), /is not a Parquet file$/],
    [
      'half a file',
      () => changed((bytes) => bytes.subarray(0, 2000)),
      /is truncated: a Parquet file ends in PAR1; copy/,
    ],
    ['a wrong footer', () => changed(withFooter), /is damaged: its footer has 4294967295 bytes; copy it again$/],
    ['encryption', () => changed((bytes) => Buffer.concat([bytes, Buffer.from('PARE')])), /is encrypted, which is not/],
  ])('refuses %s', async (_, make, message) => {
    await expect(open(make())).rejects.toThrow(message);
  });

  it('tells damage anywhere in a file in one line, at the latest when an image is read', async () => {
    const whole = readFileSync(fixture(TRAIN[0]));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (changes) => {
          const path = changed((bytes) => {
            for (const [at, value] of changes) bytes[at] = value;
            return bytes;
          });
          const source = await open(path, { classes: 3, onBroken: 'skip' }).catch((error) => {
            expect(error).toBeInstanceOf(DataError);
            expect(error.message).not.toContain('\n');
            return undefined;
          });
          if (!source) return;
          const reader = openRecords(source.records);
          for (let i = 0; i < source.count; i++) {
            await reader.read(i).catch((error) => expect(error.message).not.toContain('\n'));
          }
          await reader.close();
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });
});

function withFooter(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(2 ** 32 - 1, bytes.length - 8);
  return bytes;
}

describe('batches of Parquet files', () => {
  const config = dataSchema.parse({
    source: 'parquet',
    train: { files: TRAIN.map(fixture) },
    image: 8,
    shuffle_window: 2,
  });

  async function epoch(workers: number, number: number) {
    const dataset = await openData(config, 'train', { seed: 0 });
    const loader = new Loader({ dataset, mode: 'train', batch: 4, patch: 4, seed: 1, workers });
    const batches: unknown[] = [];
    const order: number[] = [];
    for await (const { patches, labels, indices } of loader.epoch(number)) {
      batches.push([...patches], [...labels]);
      order.push(...indices);
    }
    await loader.close();
    return { batches, order };
  }

  it('are the same whatever the number of threads, and others in the next epoch', async () => {
    const [none, one, three, next] = [await epoch(0, 0), await epoch(1, 0), await epoch(3, 0), await epoch(1, 1)];
    expect(one).toEqual(none);
    expect(three).toEqual(none);
    expect(next.order).not.toEqual(none.order);
    expect([...none.order].sort((a, b) => a - b)).toEqual(numbers(16));
  });
});
