/** The libraries themselves open exports, and compute what is computed here. Runs where `WAVE_PYTHON` names a Python. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRng } from '#wave/base/rng.js';
import { writeSafetensors } from '#wave/checkpoint/index.js';
import { FORMATS } from '#wave/model/export/registry.js';
import type { ModelSpec, Preprocess } from '#wave/model/spec.js';
import { exportModel } from '#wave/stages/export.js';
import { predict } from '#wave/stages/predict.js';
import { isOfTransformers, KINDS, SMALL, saved } from './export-support.js';
import { context } from './support.js';

const python = process.env.WAVE_PYTHON;
const script = fileURLToPath(new URL('../../scripts/check-export-with-python.py', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'wave-export-python-'));
afterAll(() => rmSync(root, { recursive: true }));

/** On logits, whose largest are about 1 here: float32 sums in another order over up to 12 blocks. */
const TOLERANCE = 1e-4;
/** Pixel values are whole numbers of 0 to 255; two filters that round at other moments may differ by one of them. */
const LEVEL = 1 / 255;

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const PLAIN = { ...SMALL, image: [224, 224], patch: 16, eps: 1e-6 } as const;
const SQUARE = { ...SMALL, image: [16, 16] as [number, number], preprocess: IMAGENET };
const processed = (more: Partial<Preprocess>): Partial<ModelSpec> => ({ preprocess: { ...IMAGENET, ...more } });

const CASES: Readonly<Record<string, ModelSpec>> = {
  'a DeiT of the size tiny': {
    ...PLAIN,
    image: [224, 224],
    depth: 12,
    width: 192,
    heads: 3,
    hidden: 768,
    classes: 1000,
    ...processed({ resize: [248, 248] }),
  },
  'a target of depth 5 and width 96': {
    ...PLAIN,
    image: [224, 224],
    depth: 5,
    width: 96,
    heads: 3,
    hidden: 384,
    classes: 10,
    labels: Array.from({ length: 10 }, (_, id) => `digit ${id}`),
    ...processed({ resize: [256, 256], resize_mode: 'squash', interpolation: 'bilinear' }),
  },
  ...Object.fromEntries(
    Object.entries(KINDS).map(([kind, change]) => [`a small model with ${kind}`, { ...SMALL, ...change }]),
  ),
  'a model with one channel': { ...SQUARE, channels: 1, preprocess: { mean: [0.13], std: [0.31], resize: [16, 16] } },
  'images made to fit': { ...SQUARE, ...processed({ resize_mode: 'squash' }) },
  'images covered bilinearly': { ...SQUARE, ...processed({ resize: [18, 18], interpolation: 'bilinear' }) },
  'images covered by Lanczos': { ...SQUARE, ...processed({ resize: [20, 20], interpolation: 'lanczos' }) },
  'a width whose ratio falls short': { ...SQUARE, width: 49, heads: 7, hidden: 1 },
};

interface Found {
  readonly class: string;
  readonly error?: string;
  readonly loaded: boolean;
  readonly logits: number;
  readonly labels?: readonly string[];
  readonly processor?: string;
  readonly pixels?: number;
}

/** Exports a model in a format; what the script needs to judge it. */
async function job(name: string, spec: ModelSpec, format: string): Promise<object> {
  const folder = join(root, `${format}-${name.replaceAll(/\W/g, '-')}`);
  mkdirSync(folder);
  const model = await saved(folder, spec);
  const [height, width] = spec.image;
  const shape = [2, spec.channels, height, width];
  const rng = createRng(3, name);
  const images = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal());
  const [input, logits, dir] = ['input.safetensors', 'logits.safetensors', 'out'].map((file) => join(folder, file));
  await writeSafetensors(input, [['input', { dtype: 'F32', shape, data: images }]]);
  await predict({ model, inputs: [input], top: 1, logitsOut: logits }, context());
  await exportModel(model, { format }, { dir, force: false }, context());
  return { format, dir, input, logits, ...(format !== 'onnx' && (await picture(folder, spec))) };
}

/** An image file, and what a model does with it. */
async function picture(folder: string, { image, channels, preprocess }: ModelSpec) {
  const [width, height] = [Math.round(1.7 * image[1]), 2 * image[0] + 3];
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => (i * i + 37 * i) % 256);
  const path = join(folder, 'image.png');
  // Smooth, so that one pixel more or less at the edge of a filter is no more than a level or two.
  const blurred = sharp(pixels, { raw: { width, height, channels: channels as 1 | 3 } }).blur(3);
  await (channels === 1 ? blurred.toColourspace('b-w') : blurred).png().toFile(path);
  const defaults = { resize: image, resize_mode: 'shortest', interpolation: 'bicubic' };
  return { image: path, preprocess: { image, ...defaults, ...preprocess } };
}

const formats = FORMATS.map(({ name }) => name);
const cases = Object.entries(CASES).flatMap(([name, spec]) =>
  formats.filter((format) => format !== 'hf' || isOfTransformers(spec)).map((format) => ({ name, spec, format })),
);

describe.skipIf(python === undefined)(
  'libraries that open exports (needs WAVE_PYTHON with timm and transformers)',
  () => {
    const found = new Map<string, readonly Found[]>();
    const key = (name: string, format: string) => `${name} as ${format}`;

    beforeAll(async () => {
      const jobs = join(root, 'jobs.json');
      const all: object[] = [];
      for (const { name, spec, format } of cases) all.push(await job(name, spec, format));
      writeFileSync(jobs, JSON.stringify(all));
      const answer = execFileSync(python as string, [script, jobs], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const results: readonly (readonly Found[])[] = JSON.parse(answer);
      for (const [i, { name, format }] of cases.entries()) found.set(key(name, format), results[i]);
    }, 600_000);

    it.each(cases)('$name as $format', ({ name, spec, format }) => {
      const results = found.get(key(name, format)) ?? [];
      expect(results.length).toBeGreaterThan(0);
      for (const result of results) {
        expect(result.error, `${result.class}: opens`).toBeUndefined();
        expect(result.loaded, `${result.class}: every tensor has its place`).toBe(true);
        expect(result.logits, `${result.class}: largest difference of a logit`).toBeLessThanOrEqual(TOLERANCE);
        if (result.labels && spec.labels) expect(result.labels).toEqual(spec.labels);
        if (result.pixels === undefined) continue;
        const narrowest = Math.min(...(spec.preprocess?.std ?? [1]));
        const what = `${result.class}, ${result.processor}: pixels`;
        expect(result.pixels * narrowest, what).toBeLessThanOrEqual(1.01 * LEVEL);
      }
    });
  },
);
