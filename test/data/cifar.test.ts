import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dataSchema } from '#wave/config/index.js';
import { openCifar } from '#wave/data/cifar.js';
import { Loader, openData, unpatchify } from '#wave/data/index.js';
import { openRecords } from '#wave/data/records.js';
import { temporaryFolder } from './source-support.js';

const folder = temporaryFolder();
const PIXELS = 3072;

const pixelAt = (record: number, i: number) => (record * 31 + i * 7) % 256;

/** A file of records with these label bytes. */
function write(name: string, labels: readonly (readonly number[])[], first = 0): string {
  const records = labels.map((own, i) =>
    Buffer.from([...own, ...Array.from({ length: PIXELS }, (_, p) => pixelAt(first + i, p))]),
  );
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, Buffer.concat(records));
  return path;
}

const TEN = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

describe('openCifar', () => {
  it('takes CIFAR-10 from several files, with the names beside them', async () => {
    const files = [write('ten/data_batch_1.bin', [[3], [9]]), write('ten/data_batch_2.bin', [[0]], 2)];
    writeFileSync(join(folder, 'ten/batches.meta.txt'), `${TEN.join('\n')}\n\n`);
    const source = await openCifar(files, { labels: 'fine' });
    expect(source).toMatchObject({ count: 3, classes: 10, classNames: TEN, channels: 3 });
    expect([...source.labels]).toEqual([3, 9, 0]);
    const reader = openRecords(source.records);
    for (let i = 0; i < 3; i++) {
      expect([...(await reader.read(i))]).toEqual(Array.from({ length: PIXELS }, (_, p) => pixelAt(i, p)));
    }
    await reader.close();
  });

  it('takes either label of CIFAR-100', async () => {
    const file = write('hundred/train.bin', [
      [19, 99],
      [0, 1],
    ]);
    expect(await openCifar([file], { labels: 'fine' })).toMatchObject({ classes: 100, labels: Uint8Array.of(99, 1) });
    expect(await openCifar([file], { labels: 'coarse' })).toMatchObject({ classes: 20, labels: Uint8Array.of(19, 0) });
  });

  it('hands the pixels to the model as they are', async () => {
    const file = write('plain/a.bin', [[1], [2], [3]]);
    const config = dataSchema.parse({ source: 'cifar', test: { files: file }, mean: [0], std: [1] });
    const dataset = await openData(config, 'test', { seed: 0 });
    expect(dataset.image).toEqual([32, 32]);
    const loader = new Loader({ dataset, mode: 'eval', batch: 2, patch: 8, seed: 0, workers: 1 });
    const shown: number[][] = [];
    for await (const { patches, size } of loader.epoch(0)) {
      const images = unpatchify(patches, { batch: 2, channels: 3, height: 32, width: 32, patch: 8 });
      for (let i = 0; i < size; i++) shown.push([...images.subarray(i * PIXELS, (i + 1) * PIXELS)]);
    }
    await loader.close();
    const expected = [0, 1, 2].map((i) => Array.from({ length: PIXELS }, (_, p) => Math.fround(pixelAt(i, p) / 255)));
    expect(shown).toEqual(expected);
  });

  it('of a length that both could have goes by the labels', async () => {
    const records = Array.from({ length: 3073 }, () => [19, 99]);
    const source = await openCifar([write('both/b.bin', records)], { labels: 'fine' });
    expect(source).toMatchObject({ classes: 100, count: 3073 });
  });

  it.each([
    [
      'a text',
      () => writeAs('x/a.bin', 'hello'),
      /^.*a\.bin: 5 bytes are not whole records of 3073 \(CIFAR-10\) or 3074/,
    ],
    ['an empty file', () => writeAs('x/b.bin', ''), /b\.bin: 0 bytes are not whole records/],
    [
      'a wrong label',
      () => write('x/c.bin', [[1], [10]]),
      /c\.bin: record 1 has the label 10, CIFAR-10 has 10 classes;/,
    ],
    ['no file', () => join(folder, 'x/none.bin'), /none\.bin: cannot be read: no such file or folder/],
  ])('refuses %s', async (_, make, message) => {
    await expect(openCifar([make()], { labels: 'fine' })).rejects.toThrow(message);
  });

  it('refuses coarse labels of CIFAR-10, files of both, and names that are too few', async () => {
    const ten = write('y/ten.bin', [[1]]);
    const hundred = write('y/hundred.bin', [[1, 1]]);
    await expect(openCifar([ten], { labels: 'coarse' })).rejects.toThrow(
      /CIFAR-10 has no coarse labels; set data\.cifar/,
    );
    await expect(openCifar([ten, hundred], { labels: 'fine' })).rejects.toThrow(
      /is a file of CIFAR-100, .*of CIFAR-10;/,
    );
    writeAs('y/batches.meta.txt', 'cat\ndog\n');
    await expect(openCifar([ten], { labels: 'fine' })).rejects.toThrow(
      /batches\.meta\.txt: has 2 names for 10 classes;/,
    );
  });

  it('refuses class_names in another order, unless names are not to be compared', async () => {
    const files = write('z/ten.bin', [[1], [2]]);
    writeAs('z/batches.meta.txt', TEN.join('\n'));
    const class_names = writeAs('z/mine.txt', [...TEN].reverse().join('\n'));
    const block = { source: 'cifar', test: { files }, class_names };
    await expect(openData(dataSchema.parse(block), 'test', { seed: 0 })).rejects.toThrow(
      /ten\.bin: class 0 is "airplane", in .*mine\.txt "truck"; correct the order/,
    );
    const { source } = await openData(dataSchema.parse({ ...block, check_names: false }), 'test', { seed: 0 });
    expect(source.classNames?.[0]).toBe('truck');
  });
});

function writeAs(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}
