/** Image files become the pixels that timm's evaluation transform and transformers' image processors make of them. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors, type SafetensorsReader } from '#wave/checkpoint/index.js';
import { dataSchema } from '#wave/config/index.js';
import { evalFraming } from '#wave/data/framing.js';
import { decodeImage, type Resizing } from '#wave/data/image-file.js';
import { Loader, openData, unpatchify } from '#wave/data/index.js';

const folder = fileURLToPath(new URL('./fixtures/images/', import.meta.url));
/** Levels of 255, of single pixels and in the mean: of timm and Pillow nothing; transformers resizes by torchvision. */
const LOSSLESS = { timm: { most: 0, mean: 0 }, pillow: { most: 0, mean: 0 }, hf: { most: 1, mean: 0.02 } } as const;
/** Decoders of JPEG may differ by a rounding here and there; those in use agree. */
const JPEG = { most: 3, mean: 0.25 };

interface Case extends Resizing {
  readonly image: readonly [number, number];
}

const root = mkdtempSync(join(tmpdir(), 'wave-image-'));
let file: SafetensorsReader;
let cases: Record<string, Case>;
beforeAll(async () => {
  file = await openSafetensors(`${folder}expected.safetensors`);
  cases = JSON.parse(file.metadata.get('cases') ?? '');
});
afterAll(async () => {
  await file.close();
  rmSync(root, { recursive: true });
});

/** Absolute differences of what the case's settings, changed, give to the library's pixels. */
async function difference(image: string, name: string, change: Resizing = {}) {
  const { image: size, ...resizing } = { ...cases[name], ...change };
  const [height, width] = size;
  const found = await decodeImage(`${folder}${image}`, { channels: 3, height, width }, resizing);
  const wanted = await file.readFloat32(`${image}/${name}`);
  expect(found.length).toBe(wanted.length);
  const differences = Array.from(found, (value, i) => Math.abs(value - wanted[i]));
  const total = differences.reduce((sum, one) => sum + one, 0);
  return { most: Math.max(...differences), mean: total / found.length };
}

describe.each(['photo.png', 'photo.jpg', 'tall.png'])('%s', (image) => {
  it.each([
    'timm-bicubic',
    'timm-bilinear',
    'timm-lanczos',
    'timm-nearest',
    'timm-squash',
    'timm-oblong',
    'timm-enlarged',
    'hf-vit',
    'hf-deit',
    'hf-shortest',
    'hf-padded',
  ])('%s', async (name) => {
    const allowed = image.endsWith('.jpg') ? JPEG : LOSSLESS[name.split('-')[0] as keyof typeof LOSSLESS];
    const { most, mean } = await difference(image, name);
    expect(most).toBeLessThanOrEqual(allowed.most);
    expect(mean).toBeLessThanOrEqual(allowed.mean);
  });

  it.each([
    ['timm-bicubic', { interpolation: 'bilinear' }],
    ['timm-bicubic', { resize: [24, 24] }],
    ['timm-squash', { resize_mode: 'shortest' }],
    ['hf-vit', { resize_mode: 'shortest' }],
  ] as const)('%s is told from %o', async (name, change) => {
    const { mean } = await difference(image, name, { ...change } as Resizing);
    expect(mean).toBeGreaterThan(4 * JPEG.mean);
  });
});

describe.each(['noise.png', 'tile.png'])('%s, which is but noise', (image) => {
  it.each(['pillow-nearest', 'pillow-bilinear', 'pillow-bicubic', 'pillow-lanczos'])('%s', async (name) => {
    expect(await difference(image, name)).toEqual(LOSSLESS.pillow);
  });
});

describe('images', () => {
  const grey = Uint8Array.from({ length: 12 * 10 }, (_, i) => (i * 53) % 256);
  const sizes = { height: 40, width: 30 };

  it('are the same in grey, in colour and in CMYK', async () => {
    const path = (name: string) => join(root, name);
    await sharp(grey, { raw: { width: 10, height: 12, channels: 1 } })
      .png()
      .toFile(path('grey.png'));
    const colour = Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)]);
    await sharp(colour, { raw: { width: 10, height: 12, channels: 3 } })
      .png()
      .toFile(path('colour.png'));
    const one = await decodeImage(path('grey.png'), { channels: 1, ...sizes });
    const three = await decodeImage(path('grey.png'), { channels: 3, ...sizes });
    expect(three).toEqual(Uint8Array.from([...one, ...one, ...one]));
    expect(await decodeImage(path('colour.png'), { channels: 3, ...sizes })).toEqual(three);
    const flat = { create: { width: 10, height: 12, channels: 3, background: '#c04020' } } as const;
    await sharp(flat).toColourspace('cmyk').jpeg({ quality: 100 }).toFile(path('cmyk.jpg'));
    const small = await decodeImage(path('cmyk.jpg'), { channels: 3, height: 6, width: 5 });
    const large = await decodeImage(path('cmyk.jpg'), { channels: 3, ...sizes });
    expect([0, 1, 2].map((c) => large[c * 1200])).toEqual([0, 1, 2].map((c) => small[c * 30]));
  });

  it('are turned first, as their EXIF orientation says', async () => {
    const path = join(root, 'turned.png');
    const raw = { raw: { width: 10, height: 12, channels: 1 } } as const;
    await sharp(grey, raw).png().toFile(join(root, 'upright.png'));
    const turned = await sharp(grey, raw).rotate(-90).raw().toBuffer();
    await sharp(turned, { raw: { width: 12, height: 10, channels: turned.length === 120 ? 1 : 3 } })
      .withMetadata({ orientation: 6 })
      .png()
      .toFile(path);
    for (const size of [sizes, { height: 6, width: 4 }]) {
      const wanted = await decodeImage(join(root, 'upright.png'), { channels: 1, ...size });
      expect(await decodeImage(path, { channels: 1, ...size })).toEqual(wanted);
    }
  });

  it('are black where they are transparent', async () => {
    const path = join(root, 'clear.png');
    const raw = Uint8Array.from({ length: 4 * 64 }, (_, i) => (i % 4 === 3 ? [0, 255][Math.floor(i / 4) % 2] : 200));
    await sharp(raw, { raw: { width: 8, height: 8, channels: 4 } })
      .png()
      .toFile(path);
    const found = await decodeImage(path, { channels: 3, height: 8, width: 8 });
    expect(found).toEqual(Uint8Array.from({ length: 3 * 64 }, (_, i) => (i % 2 === 0 ? 0 : 200)));
  });

  it.each([
    ['that become too large', [10_000, 1], { resize: [10_000, 10_000] }, '100000000x10000'],
    ['that are too large on the way', [2_000_000, 1], { resize: [64, 64], resize_mode: 'squash' }, '2000000x64'],
  ] as const)('%s are refused', async (_, [height, width], { resize, ...more }, size) => {
    const path = join(root, `long-${height}.png`);
    // The format knows no such heights in sharp; a plain TIFF does.
    await sharp({ create: { height, width, channels: 3, background: '#123' } })
      .tiff({ compression: 'deflate' })
      .toFile(path);
    await expect(
      decodeImage(path, { channels: 3, height: 64, width: 64 }, { resize: [...resize], ...more }),
    ).rejects.toThrow(
      `${path}: an image of ${height}x${width} would be resized to ${size}, more than 100000000 pixels`,
    );
  });
});

describe('the loader', () => {
  const pictures = fileURLToPath(new URL('./fixtures/pictures/', import.meta.url));

  // Upright and opaque: of others the loader shows what is stored, as PyTorch's image folders.
  it.each([
    ['shortest', 0.875, 'bicubic', 24],
    ['squash', 0.7, 'nearest', 24],
    ['shortest', 0.9, 'lanczos', [40, 24]],
    ['shortest', 1, 'bilinear', [16, 48]],
  ] as const)('sees the same in evaluation: %s %d %s', async (mode, crop_pct, interpolation, image) => {
    const names = [
      'wide.jpg',
      'tall.jpg',
      'small.png',
      'grey.png',
      'palette.png',
      'cmyk.jpg',
      'profile.png',
      'rgb-16.png',
    ];
    const folder = mkdtempSync(join(root, 'folder-'));
    mkdirSync(join(folder, 'one'));
    for (const name of names) copyFileSync(join(pictures, name), join(folder, 'one', name));
    const split = { folder };
    const config = dataSchema.parse({
      source: 'folder',
      train: split,
      test: split,
      image: typeof image === 'number' ? image : [...image],
      resize: { mode, crop_pct, interpolation },
      mean: [0],
      std: [1 / 255],
    });
    const dataset = await openData(config, 'test', { seed: 0 });
    const loader = new Loader({ dataset, mode: 'eval', batch: names.length, patch: 8, seed: 0, workers: 0 });
    const [height, width] = dataset.image;
    const { resize } = dataset.framing;
    for await (const { patches } of loader.epoch(0)) {
      const seen = unpatchify(patches, { batch: names.length, channels: 3, height, width, patch: 8 });
      const area = 3 * height * width;
      for (const [at, name] of [...names].sort().entries()) {
        const resizing = { resize: [...resize] as [number, number], resize_mode: mode, interpolation };
        const found = await decodeImage(join(pictures, name), { channels: 3, height, width }, resizing);
        expect([name, Uint8Array.from(seen.subarray(at * area, (at + 1) * area), Math.round)]).toEqual([name, found]);
      }
    }
    await loader.close();
  });
});

describe('evalFraming', () => {
  const frame = (
    [height, width]: readonly [number, number],
    image: readonly [number, number],
    resize: readonly [number, number] = image,
    mode: 'shortest' | 'squash' = 'shortest',
  ) => evalFraming({ image, resize, mode, interpolation: 'bicubic' }, height, width);

  // By torchvision: Resize([n]) gives int(n * long / short), center_crop begins at round((size - crop) / 2), half to even.
  it.each([
    [[45, 60], [24, 24], [26, 26], [26, 34], { top: 1, left: 5 }],
    [[60, 45], [24, 24], [26, 26], [34, 26], { top: 5, left: 1 }],
    [[100, 100], [224, 224], [255, 255], [255, 255], { top: 16, left: 16 }],
    [[100, 100], [224, 224], [257, 257], [257, 257], { top: 16, left: 16 }],
    [[100, 100], [224, 224], [251, 251], [251, 251], { top: 14, left: 14 }],
    [[3, 1000], [4, 4], [4, 4], [4, 1333], { top: 0, left: 664 }],
  ] as const)('%o to %o by %o', (found, input, resize, size, place) => {
    const framing = frame(found, input, resize);
    expect(framing.size).toEqual(size);
    expect(framing.crop).toMatchObject(place);
  });

  it('covers the input where no size is told', () => {
    expect(frame([45, 60], [24, 24]).size).toEqual([24, 32]);
    expect(frame([45, 60], [24, 24], [24, 24], 'squash')).toEqual({ size: [24, 24], interpolation: 'bicubic' });
  });

  // By timm's ResizeKeepRatio: round(45 / (45 / 26)) and round(60 / (45 / 26)) = round(34.67).
  it('rounds where the input is oblong', () => {
    expect(frame([45, 60], [24, 16], [26, 17]).size).toEqual([26, 35]);
  });

  it('adds black where the resized image is smaller, the odd pixel at the end', () => {
    const { crop, canvas } = frame([10, 10], [24, 24], [19, 30], 'squash');
    expect(crop).toEqual({ top: 0, left: 3, height: 19, width: 24 });
    expect(canvas).toEqual({ top: 2, left: 0, height: 24, width: 24 });
  });
});
