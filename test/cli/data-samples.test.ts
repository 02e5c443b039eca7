/** `wave data stats --samples`: the sheet shows the very pixels that a model gets. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type DataStatistics,
  evaluateSchema,
  Loader,
  loadConfig,
  openData,
  type Samples,
  syntheticSource,
} from '#wave/index.js';
import { inMemory } from '../data/helpers.js';
import { result } from './data-support.js';
import { wave } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'wave-samples-'));
const at = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(async () => {
  for (const name of ['cat', 'dog']) {
    mkdirSync(at('train', name), { recursive: true });
    const image = sharp({ create: { width: 12, height: 9, channels: 3, background: '#204060' } }).png();
    for (const number of [1, 2]) await image.toFile(at('train', name, `${number}.png`));
  }
  writeFileSync(at('train', 'dog', 'empty.jpg'), '');
  writeFileSync(at('folder.yaml'), `data: { source: folder, train: { folder: ${at('train')} }, image: 8 }\n`);
  const synthetic = { image: 8, channels: 3, classes: 3, train: 32, test: 6 };
  writeFileSync(at('drawn.yaml'), `data: { source: synthetic, synthetic: ${JSON.stringify(synthetic)} }\n`);
});

describe('--samples', () => {
  const words = ['stats', '--config', at('drawn.yaml')];

  it('draws the images that a model sees', async () => {
    const path = at('samples.png');
    const { samples } = await result<DataStatistics & { samples: Samples }>([...words, '--samples', path]);
    expect(samples).toEqual({ path, images: 32 });
    // 8 pixels are enlarged to 96; without random changes they are those of the source.
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 6 + 8 * 102, height: 6 + 4 * (96 + 20 + 6), channels: 3 });
    const config = loadConfig({ schema: evaluateSchema, file: at('drawn.yaml') });
    const dataset = await openData(config.data, 'train', { seed: 0 });
    const loader = new Loader({ dataset, mode: 'train', batch: 8, patch: 8, seed: 0, workers: 0 });
    const { image, channels, classes } = config.data.synthetic;
    const source = inMemory(syntheticSource({ image, channels, classes, seed: 0, split: 'train', count: 32 }));
    const pixels = new Uint8Array(3 * 64);
    let tile = 0;
    for await (const { indices } of loader.epoch(0)) {
      for (const index of indices) {
        source.read(index, pixels);
        const [top, left] = [6 + Math.floor(tile / 8) * 122, 6 + (tile % 8) * 102];
        for (let y = 0; y < 8; y++) {
          for (let x = 0; x < 8; x++) {
            const found = ((top + y * 12 + 5) * info.width + left + x * 12 + 5) * 3;
            const expected = [0, 1, 2].map((c) => pixels[c * 64 + y * 8 + x]);
            expect([...data.subarray(found, found + 3)]).toEqual(expected);
          }
        }
        tile++;
      }
    }
    expect(tile).toBe(32);
    await loader.close();
  });

  it('draws what is mixed and changed otherwise than what is not, and the same every time', async () => {
    const bytes = async (name: string, ...sets: string[]) => {
      await result([...words, '--samples', at(name), ...sets.flatMap((set) => ['--set', set])]);
      return (await sharp(at(name)).raw().toBuffer()).toString('base64');
    };
    const [plainSheet, mixed] = [await bytes('a.png'), await bytes('b.png', 'data.augment.mixup=0.8')];
    expect(mixed).not.toBe(plainSheet);
    expect(await bytes('c.png', 'data.augment.mixup=0.8')).toBe(mixed);
  });

  it('leaves out what cannot be read', async () => {
    const path = at('folder.png');
    const found = await result<{ samples: Samples }>(['stats', '--config', at('folder.yaml'), '--samples', path]);
    expect(found.samples.images).toBe(5);
  });

  it('refuses a file that is there, and one that is not to be a PNG, before it measures', async () => {
    writeFileSync(at('there.png'), 'mine');
    const there = await wave(['data', ...words, '--samples', at('there.png')]);
    expect(there).toMatchObject({ code: 2, stdout: '' });
    expect(there.stderr).toBe(`wave: error: ${at('there.png')}: is already there; --force replaces it\n`);
    await result([...words, '--samples', at('there.png'), '--force']);
    const jpeg = await wave(['data', ...words, '--samples', at('s.jpg')]);
    expect(jpeg).toMatchObject({ code: 2 });
    expect(jpeg.stderr).toBe(`wave: error: ${at('s.jpg')}: the samples are a PNG; end it in .png\n`);
    expect(existsSync(at('s.jpg'))).toBe(false);
  });
});
