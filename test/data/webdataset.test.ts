import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '#wave/base/errors.js';
import { openRecords, relativeName } from '#wave/data/records.js';
import { openTar } from '#wave/data/tar.js';
import { openWebDataset, type WebDatasetOptions } from '#wave/data/webdataset.js';
import { asBomb, fixture, imagesOf, numbers, readRecord, temporaryFolder } from './source-support.js';

const folder = temporaryFolder();
const open = (names: string | string[], options: Partial<WebDatasetOptions> = {}) =>
  openWebDataset(
    [names].flat().map((name) => (name.startsWith('/') ? name : fixture(name))),
    { image: null, label: 'cls', classes: 3, onBroken: 'fail', channels: 3, ...options },
  );

function changed(name: string, change: (bytes: Buffer) => Buffer): string {
  const path = join(folder, `${Math.random()}-${name}`);
  writeFileSync(path, change(readFileSync(fixture(name))));
  return path;
}

describe('openWebDataset', () => {
  it('takes the samples of all shards in their order', async () => {
    const source = await open(['shard-000.tar', 'shard-001.tar', 'shard-002.tar']);
    expect(source).toMatchObject({ kind: 'records', count: 10, classes: 3 });
    expect([...source.labels]).toEqual(numbers(10).map((i) => i % 3));
    expect(await imagesOf(source)).toEqual(numbers(10));
    expect(relativeName(source.records, 4)).toBe('00004.png');
    expect(source.leftOut).toBeUndefined();
  });

  it.each(['long-gnu.tar', 'long-pax.tar', 'long-ustar.tar', 'folders.tar'])('reads the names of %s', async (name) => {
    const source = await open(name);
    expect(await imagesOf(source)).toEqual([0, 1]);
    const directory = { 'long-pax.tar': 'ü'.repeat(80), 'folders.tar': 'train/v1.0' }[name];
    expect(relativeName(source.records, 1)).toBe(`${directory ?? `${'a'.repeat(60)}/${'b'.repeat(90)}`}/00001.png`);
  });

  it('reads sizes of base 256', async () => {
    expect(await imagesOf(await open('base-256.tar'))).toEqual(numbers(4));
  });

  it('takes labels from fields of JSON', async () => {
    expect([...(await open('shard-001.tar', { label: 'json.label' })).labels]).toEqual([1, 2, 0]);
    expect([...(await open('shard-001.tar', { label: 'json.deep.class' })).labels]).toEqual([1, 2, 0]);
    await expect(open('shard-001.tar', { label: 'json.deep.none' })).rejects.toThrow(
      /shard-001\.tar: 00004: has no label: \.json has no field "deep\.none"; repair the archive, or set data\.on_broken/,
    );
    await expect(open('shard-001.tar', { label: 'json.deep' })).rejects.toThrow(
      /has the label .*which is no whole number/,
    );
  });

  it.each([
    ['two-images.tar', /0: has several images \(png, jpg\); choose one by data\.webdataset\.image; repair/],
    [
      'no-label.tar',
      /no-label\.tar: 9: has no label: no member \.cls; repair the archive, or set data\.on_broken to skip$/,
    ],
    ['no-image.tar', /no-image\.tar: 9: has no image; repair/],
    ['label-text.tar', /label-text\.tar: 9: has the label "dog", which is no whole number; repair/],
    ['label-range.tar', /label-range\.tar: 9: has the label 3, which is not one of 3 classes \(0 to 2\); repair/],
    ['twice.tar', /twice\.tar: "0\.png" is there twice; pack the archive again$/],
    [
      'escaping.tar',
      /escaping\.tar: "\.\.\/9\.png" leads out of the archive; only archives of relative paths are read$/,
    ],
    ['absolute.tar', /absolute\.tar: "\/tmp\/9\.png" leads out of the archive;/],
    ['none.tar', /none\.tar: cannot be read: no such file or folder/],
  ])('refuses %s', async (name, message) => {
    await expect(open(name)).rejects.toThrow(message);
    await expect(open(name)).rejects.toBeInstanceOf(DataError);
  });

  it.each(['no-label.tar', 'no-image.tar', 'label-text.tar', 'label-range.tar'])(
    'leaves out what is wrong in %s when it may, and tells it',
    async (name) => {
      const source = await open(name, { onBroken: 'skip' });
      expect(source.count).toBe(2);
      expect(source.leftOut).toHaveLength(1);
      expect(source.leftOut?.[0].name).toBe(`${fixture(name)}: 9`);
    },
  );

  it('tells why when no sample is left', async () => {
    await expect(open('shard-001.tar', { label: 'lbl', onBroken: 'skip' })).rejects.toThrow(
      /shard-001\.tar: holds no sample that can be used: 3 left out, the first, .*shard-001\.tar: 00004, has no label: no member \.lbl; correct data\.webdataset, or/,
    );
  });

  it('finds a decompression bomb when its image is read, from its header', async () => {
    const source = await open(changed('shard-000.tar', asBomb));
    const reader = openRecords(source.records);
    await expect(readRecord(reader, 0)).rejects.toThrow(/Input image exceeds pixel limit of 100000000$/);
    await expect(readRecord(reader, 1)).resolves.toMatchObject({ channels: 3 });
    await reader.close();
  });

  it('takes the image that is named', async () => {
    expect(await open('two-images.tar', { image: 'jpg' })).toMatchObject({ count: 1 });
    await expect(open('two-images.tar', { image: 'webp' })).rejects.toThrow(/0: has no member \.webp; repair/);
  });

  it('refuses compressed archives with advice', async () => {
    await expect(open(changed('shard-000.tar', (bytes) => gzipSync(bytes)))).rejects.toThrow(
      /is compressed \(gzip\), so its members cannot be reached one by one; unpack it to a plain \.tar$/,
    );
  });

  it.each([
    ['in a member', 700, /is truncated: "00000\.png" ends \d+ bytes behind it; copy it again$/],
    ['in a header', 1024 + 100, /is truncated; copy it again$/],
  ])('refuses archives that end %s', async (_, length, message) => {
    const start = 'label-text.tar';
    const cut = changed(start, (bytes) => bytes.subarray(0, length === 700 ? 1024 + 512 + 10 : length));
    await expect(open(cut)).rejects.toThrow(message);
  });

  it.each([
    ['nothing', Buffer.alloc(0), /is empty; is the copy complete\?$/],
    ['a text', Buffer.from('hello'), /is not a tar archive$/],
    ['zeros', Buffer.alloc(10_240), /holds no sample; a sample is an image and its label$/],
  ])('refuses %s', async (_, bytes, message) => {
    await expect(open(changed('shard-000.tar', () => bytes))).rejects.toThrow(message);
  });

  it('tells damage anywhere in an archive in one line, or reads on', async () => {
    const whole = readFileSync(fixture('long-pax.tar'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
        async (changes) => {
          const path = changed('long-pax.tar', (bytes) => {
            for (const [at, value] of changes) bytes[at] = value;
            return bytes;
          });
          try {
            const tar = await openTar(path);
            try {
              for await (const { offset, size } of tar.members())
                expect(offset + size).toBeLessThanOrEqual(whole.length);
            } finally {
              await tar.close();
            }
          } catch (error) {
            expect(error).toBeInstanceOf(DataError);
            expect((error as Error).message).not.toContain('\n');
          }
        },
      ),
      { numRuns: 100, seed: 7 },
    );
  });
});
