import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { createRng } from '#wave/base/rng.js';
import { type Draw, normaliseTable, patchCount, patchDim, patchify, UNCHANGED, unpatchify } from '#wave/data/index.js';
import { type PatchShape, writeImage } from '#wave/data/patches.js';

interface Fixture {
  readonly shape: PatchShape;
  readonly patches: number[];
}
const fixture = JSON.parse(readFileSync(new URL('./fixtures/patches.json', import.meta.url), 'utf8')) as Fixture;

/** Patch layout by its definition: one index per axis, no shared arithmetic with the code under test. */
function reference(images: Float32Array, shape: PatchShape): number[] {
  const { batch, channels, height, width, patch } = shape;
  const out: number[] = [];
  for (let gridY = 0; gridY < height / patch; gridY++)
    for (let gridX = 0; gridX < width / patch; gridX++)
      for (let b = 0; b < batch; b++)
        for (let c = 0; c < channels; c++)
          for (let r = 0; r < patch; r++)
            for (let q = 0; q < patch; q++) {
              const y = gridY * patch + r;
              const x = gridX * patch + q;
              out.push(images[((b * channels + c) * height + y) * width + x]);
            }
  return out;
}

describe('patchify', () => {
  it('gives the order of torch.nn.functional.unfold, patch index outermost', () => {
    const images = Float32Array.from(fixture.patches, (_, i) => i);
    expect([...patchify(images, fixture.shape)]).toEqual(fixture.patches);
  });

  it.each<PatchShape>([
    { batch: 1, channels: 1, height: 2, width: 2, patch: 2 },
    { batch: 3, channels: 2, height: 6, width: 9, patch: 3 },
    { batch: 2, channels: 3, height: 4, width: 4, patch: 1 },
  ])('agrees with nested loops for %j, and unpatchify undoes it', (shape) => {
    const size = shape.batch * shape.channels * shape.height * shape.width;
    const images = Float32Array.from({ length: size }, (_, i) => i + 0.5);
    const patches = patchify(images, shape);
    expect([...patches]).toEqual(reference(images, shape));
    expect([...unpatchify(patches, shape)]).toEqual([...images]);
    expect(patches).toHaveLength(patchCount(shape) * shape.batch * patchDim(shape));
  });

  it('refuses images that do not divide into patches, naming the sizes that do', () => {
    const shape = { batch: 1, channels: 1, height: 28, width: 28, patch: 5 };
    expect(() => patchify(new Float32Array(784), shape)).toThrow(ConfigError);
    expect(() => patchify(new Float32Array(784), shape)).toThrow(
      'patch: 28x28 images do not divide into patches of 5; sizes that fit: 1, 2, 4, 7, 14, 28',
    );
    expect(() => patchify(new Float32Array(784), { ...shape, patch: 0 })).toThrow(ConfigError);
    expect(() => patchify(new Float32Array(784), { ...shape, width: 27, patch: 7 })).toThrow(/28x27/);
  });

  it('refuses values that do not fill the shape', () => {
    expect(() => patchify(new Float32Array(5), fixture.shape)).toThrow(RangeError);
  });
});

describe('writeImage', () => {
  const height = 4;
  const width = 6;

  /** Pad with zeros, crop, mirror, repeat, normalise, one step after the other as the words say. */
  function stepByStep(
    pixels: Uint8Array,
    sourceChannels: number,
    channels: number,
    draw: Draw,
    mean: number[],
    std: number[],
  ) {
    const pad = 3;
    const images = new Float32Array(channels * height * width);
    for (let c = 0; c < channels; c++) {
      const plane = sourceChannels === 1 ? 0 : c;
      const padded = Array.from({ length: height + 2 * pad }, () => new Array<number>(width + 2 * pad).fill(0));
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) padded[y + pad][x + pad] = pixels[(plane * height + y) * width + x];
      const cropped = Array.from({ length: height }, (_, y) =>
        padded[y + pad + draw.top].slice(pad + draw.left, pad + draw.left + width),
      );
      const mirrored = draw.flip ? cropped.map((row) => row.reverse()) : cropped;
      mirrored.flat().forEach((value, i) => {
        images[c * height * width + i] = (value / 255 - mean[c]) / std[c];
      });
    }
    return images;
  }

  it.each([
    [1, 1],
    [1, 3],
    [3, 3],
  ])(
    'crops, mirrors, repeats and normalises %d to %d channels as written out step by step',
    (sourceChannels, channels) => {
      const rng = createRng(1, 'pixels');
      const mean = [0.1, 0.5, 0.9].slice(0, channels);
      const std = [0.3, 0.2, 0.1].slice(0, channels);
      const table = normaliseTable(mean, std, channels);
      const one = { batch: 1, channels, height, width, patch: 2 };
      const shape = { ...one, batch: 3 };
      for (let top = -3; top <= 3; top++) {
        for (let left = -3; left <= 3; left++) {
          for (const flip of [false, true]) {
            const pixels = Uint8Array.from({ length: sourceChannels * height * width }, () => rng.int(256));
            const out = new Float32Array(3 * channels * height * width);
            writeImage(out, shape, 1, pixels, sourceChannels, { top, left, flip }, table);
            const images = unpatchify(out, shape);
            const size = channels * height * width;
            const expected = stepByStep(pixels, sourceChannels, channels, { top, left, flip }, mean, std);
            expect([...images.subarray(size, 2 * size)]).toEqual([...expected]);
            expect(images.subarray(0, size).every((value) => value === 0)).toBe(true);
            expect(images.subarray(2 * size).every((value) => value === 0)).toBe(true);
          }
        }
      }
    },
  );

  it('mirrors back to the original when mirrored twice', () => {
    const shape = { batch: 1, channels: 1, height, width, patch: 2 };
    const identity = Float32Array.from({ length: 256 }, (_, v) => v);
    const pixels = Uint8Array.from({ length: height * width }, (_, i) => i);
    const flip = (input: Uint8Array) => {
      const out = new Float32Array(height * width);
      writeImage(out, shape, 0, input, 1, { ...UNCHANGED, flip: true }, identity);
      return Uint8Array.from(unpatchify(out, shape));
    };
    expect([...flip(pixels)]).not.toEqual([...pixels]);
    expect([...flip(flip(pixels))]).toEqual([...pixels]);
  });
});
