import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '#wave/base/errors.js';
import { type Batch, Loader, type LoaderOptions, unpatchify } from '#wave/data/index.js';
import { bytesOf, collect, datasetOf, patternSource } from './helpers.js';

const open: Loader[] = [];
function loader(options: Partial<LoaderOptions> = {}): Loader {
  const dataset = datasetOf(patternSource(23));
  const made = new Loader({ dataset, mode: 'train', batch: 5, patch: 2, seed: 1, workers: 0, ...options });
  open.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

describe('Loader in training', () => {
  it('yields full batches only, each with the labels and indices of its samples', async () => {
    const train = loader();
    const batches = await collect(train, 0);
    expect(train.batchesPerEpoch).toBe(4);
    expect(batches.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    for (const { size, indices, labels } of batches) {
      expect(size).toBe(5);
      expect([...labels]).toEqual([...indices].map((sample) => sample % 3));
    }
    const seen = batches.flatMap(({ indices }) => [...indices]);
    expect(new Set(seen).size).toBe(20);
  });

  it('shuffles all samples, differently in every epoch and for every seed', async () => {
    const order = async (seed: number, epoch: number) => {
      const batches = await collect(loader({ seed, batch: 23 }), epoch);
      return [...batches[0].indices];
    };
    const all = Array.from({ length: 23 }, (_, i) => i);
    const orders = [await order(1, 0), await order(1, 1), await order(2, 0)];
    for (const one of orders) expect([...one].sort((a, b) => a - b)).toEqual(all);
    expect(new Set([...orders, all].map(String)).size).toBe(4);
    expect(await order(1, 0)).toEqual(orders[0]);
  });

  it.each([1, 2, 3])('gives the same bytes with %d threads as without any', async (workers) => {
    const [inline, threaded] = [loader({ workers: 0 }), loader({ workers })];
    for (const epoch of [0, 1])
      expect(bytesOf(await collect(threaded, epoch))).toBe(bytesOf(await collect(inline, epoch)));
  });

  it('gives the same bytes for any prefetch', async () => {
    const expected = bytesOf(await collect(loader(), 3));
    for (const prefetch of [1, 2, 50])
      expect(bytesOf(await collect(loader({ workers: 2, prefetch }), 3))).toBe(expected);
  });

  it('resumes within an epoch with the batches that were to come', async () => {
    const whole = await collect(loader(), 2);
    expect(bytesOf(await collect(loader({ workers: 1 }), 2, 3))).toBe(bytesOf(whole.slice(3)));
    expect(await collect(loader(), 2, 4)).toEqual([]);
    await expect(collect(loader(), 0, 5)).rejects.toThrow(/startBatch must be in 0\.\.4/);
  });

  it('augments a sample by itself: its pixels do not depend on the batch size or the subset', async () => {
    const source = patternSource(23);
    const pixelsOf = async (batch: number, indices?: Uint32Array) => {
      const dataset = datasetOf(source, indices ? { indices } : {});
      const images = new Map<number, string>();
      for (const { patches, indices: samples } of await collect(loader({ dataset, batch }), 5)) {
        const values = unpatchify(patches, { batch, channels: 1, height: 4, width: 6, patch: 2 });
        samples.forEach((sample, slot) => {
          images.set(sample, values.subarray(slot * 24, slot * 24 + 24).join());
        });
      }
      return images;
    };
    const reference = await pixelsOf(1);
    expect(reference.size).toBe(23);
    for (const other of [await pixelsOf(7), await pixelsOf(2, Uint32Array.of(1, 4, 9, 20))]) {
      for (const [sample, pixels] of other) expect(pixels).toBe(reference.get(sample));
    }
  });

  it('changes the augmentation of a sample from epoch to epoch', async () => {
    const [first, second] = [await collect(loader({ batch: 23 }), 0), await collect(loader({ batch: 23 }), 1)];
    const sum = (batch: Batch) => [...batch.patches].reduce((total, value) => total + value, 0);
    // Reordering keeps the sum; other crops lose other pixels.
    expect(sum(first[0])).not.toBeCloseTo(sum(second[0]), 3);
  });

  it('refuses a batch larger than the training set', () => {
    expect(() => loader({ batch: 24 })).toThrow(ConfigError);
    expect(() => loader({ batch: 24 })).toThrow(
      'batch: 24 is more than the 23 training images in use; choose a smaller batch',
    );
  });

  it('refuses a patch that does not divide the images', () => {
    expect(() => loader({ patch: 5 })).toThrow(/4x6 images do not divide into patches of 5; sizes that fit: 1, 2/);
  });
});

describe('Loader in evaluation', () => {
  it('yields every sample once, in order, unaugmented, the last batch padded with zeros', async () => {
    const source = patternSource(23);
    const test = loader({ dataset: datasetOf(source), mode: 'eval' });
    const batches = await collect(test, 0);
    expect(test.batchesPerEpoch).toBe(5);
    expect(batches.map(({ size }) => size)).toEqual([5, 5, 5, 5, 3]);
    expect(batches.flatMap(({ indices }) => [...indices])).toEqual(Array.from({ length: 23 }, (_, i) => i));
    const last = batches[4];
    expect([...last.labels]).toEqual([20 % 3, 21 % 3, 22 % 3, 0, 0]);
    const values = unpatchify(last.patches, { batch: 5, channels: 1, height: 4, width: 6, patch: 2 });
    expect(values.subarray(3 * 24).every((value) => value === 0)).toBe(true);
    const raw = [...source.pixels.subarray(20 * 24, 23 * 24)];
    expect([...values.subarray(0, 3 * 24)]).toEqual(raw.map((value) => Math.fround((value / 255 - 0.5) / 0.25)));
  });

  it('is the same in every epoch', async () => {
    const test = loader({ mode: 'eval', workers: 1 });
    const strip = (batches: Batch[]) => bytesOf(batches.map((batch) => ({ ...batch, epoch: 0 })));
    expect(strip(await collect(test, 0))).toBe(strip(await collect(test, 9)));
  });

  it('repeats a single channel when the model wants three', async () => {
    const source = patternSource(4);
    const dataset = datasetOf(source, { channels: 3, table: datasetOf(patternSource(1, 3)).table });
    const [batch] = await collect(loader({ dataset, mode: 'eval', batch: 4 }), 0);
    const values = unpatchify(batch.patches, { batch: 4, channels: 3, height: 4, width: 6, patch: 2 });
    expect([...values.subarray(24, 48)]).toEqual([...values.subarray(0, 24)]);
    expect([...values.subarray(48, 72)]).toEqual([...values.subarray(0, 24)]);
  });
});

describe('Loader at its end', () => {
  it('goes on with another epoch after a loop was left early', async () => {
    const train = loader({ workers: 2 });
    for await (const batch of train.epoch(0)) if (batch.index === 1) break;
    expect(bytesOf(await collect(train, 1))).toBe(bytesOf(await collect(loader(), 1)));
  });

  it('serves two loops at a time', async () => {
    const train = loader({ workers: 2 });
    const [a, b] = await Promise.all([collect(train, 0), collect(train, 1)]);
    expect(bytesOf(a)).toBe(bytesOf(await collect(loader(), 0)));
    expect(bytesOf(b)).toBe(bytesOf(await collect(loader(), 1)));
  });

  it.each([0, 1])(
    'ends a running loop with a DataError when closed (%d threads), and closes twice',
    async (workers) => {
      const train = loader({ workers });
      const loop = (async () => {
        for await (const batch of train.epoch(0)) if (batch.index === 0) await train.close();
      })();
      await expect(loop).rejects.toBeInstanceOf(DataError);
      await train.close();
      await expect(collect(train, 0)).rejects.toThrow('the data loader is closed');
    },
  );

  const script = (ending: string, batch: number) => `
    import { Loader, memorySource, normaliseTable } from '${new URL('../../dist/data/index.js', import.meta.url)}';
    const pixels = new Uint8Array(new SharedArrayBuffer(64 * 16));
    const source = memorySource({ name: 's', classes: 2, channels: 1, height: 4, width: 4, labels: new Uint8Array(64), pixels });
    const indices = Uint32Array.from({ length: 64 }, (_, i) => i);
    const table = normaliseTable([0.5], [0.5], 1);
    const dataset = { split: 'train', source, indices, channels: 1, table, image: [4, 4], augment: { padCrop: 0, flip: false }, framing: null, onBroken: 'fail', sha256: () => '' };
    const loader = new Loader({ dataset, mode: 'train', batch: ${batch}, patch: 2, seed: 0, workers: 2 });
    let batches = 0;
    for await (const batch of loader.epoch(0)) { batches++; ${ending} }
    console.log(batches);
  `;
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const run = (ending: string, batch: number) => {
    const args = ['--input-type=module', '-e', script(ending, batch)];
    return spawnSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: 30_000 });
  };

  it.each([
    ['after close', 4, 'if (batches === 16) await loader.close();', '16\n'],
    ['without close', 4, '', '16\n'],
    ['with a thread that never had work', 64, '', '1\n'],
    ['after a loop left early', 4, 'if (batches === 3) break;', '3\n'],
  ])('lets the process exit %s', (_, batch, ending, stdout) => {
    expect(run(ending, batch)).toMatchObject({ status: 0, stdout, stderr: '' });
  });
});
