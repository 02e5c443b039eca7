/** Image files become the pixels that timm's evaluation transform and transformers' image processors make of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors, type SafetensorsReader } from '#wave/checkpoint/index.js';
import { evalFrame } from '#wave/data/eval-frame.js';
import { decodeImage, type Resizing } from '#wave/data/image-file.js';

const folder = fileURLToPath(new URL('./fixtures/images/', import.meta.url));
/** Mean absolute difference, of 255. Measured: at most 0.31 where libvips shrinks, 0.002 where an image is enlarged. */
const TOLERANCE = 0.5;

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

const meanDifference = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;
};

/** Mean absolute difference of what the case's settings, changed, give to the library's pixels. */
async function difference(image: string, name: string, change: Resizing = {}): Promise<number> {
  const { image: size, ...resizing } = { ...cases[name], ...change };
  const [height, width] = size;
  const found = await decodeImage(`${folder}${image}`, { channels: 3, height, width }, resizing);
  return meanDifference(found, await file.readFloat32(`${image}/${name}`));
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
    expect(await difference(image, name)).toBeLessThanOrEqual(TOLERANCE);
  });

  it.each([
    ['timm-bicubic', { interpolation: 'bilinear' }],
    ['timm-bicubic', { resize: [24, 24] }],
    ['timm-squash', { resize_mode: 'shortest' }],
    ['hf-vit', { resize_mode: 'shortest' }],
  ] as const)('%s is told from %o', async (name, change) => {
    expect(await difference(image, name, { ...change } as Resizing)).toBeGreaterThan(2 * TOLERANCE);
  });
});

describe('enlarged images', () => {
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
      expect(meanDifference(await decodeImage(path, { channels: 1, ...size }), wanted)).toBeLessThanOrEqual(TOLERANCE);
    }
  });
});

describe('evalFrame', () => {
  // By torchvision: Resize([n]) gives int(n * long / short), center_crop begins at round((size - crop) / 2), half to even.
  it.each([
    [[45, 60], [24, 24], [26, 26], [26, 34], { top: 1, left: 5 }],
    [[60, 45], [24, 24], [26, 26], [34, 26], { top: 5, left: 1 }],
    [[100, 100], [224, 224], [255, 255], [255, 255], { top: 16, left: 16 }],
    [[100, 100], [224, 224], [257, 257], [257, 257], { top: 16, left: 16 }],
    [[100, 100], [224, 224], [251, 251], [251, 251], { top: 14, left: 14 }],
    [[3, 1000], [4, 4], [4, 4], [4, 1333], { top: 0, left: 664 }],
  ] as const)('%o to %o by %o', (found, input, resize, size, place) => {
    const frame = evalFrame(found, input, { resize: [...resize] });
    expect(frame.size).toEqual(size);
    expect(frame.crop).toMatchObject(place);
  });

  it('covers the input where no size is told', () => {
    expect(evalFrame([45, 60], [24, 24], {}).size).toEqual([24, 32]);
    expect(evalFrame([45, 60], [24, 24], { resize_mode: 'squash' }).size).toEqual([24, 24]);
  });

  it('adds black where the resized image is smaller, the odd pixel at the end', () => {
    const { crop, pad } = evalFrame([10, 10], [24, 24], { resize: [19, 30], resize_mode: 'squash' });
    expect(crop).toEqual({ top: 0, left: 3, height: 19, width: 24 });
    expect(pad).toEqual({ top: 2, bottom: 3, left: 0, right: 0 });
  });
});
