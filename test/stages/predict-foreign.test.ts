/** An image file through a checkpoint of timm or Hugging Face: pixels and logits as the library itself has them. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '#wave/checkpoint/index.js';
import { convert } from '#wave/stages/convert.js';
import { type PredictOptions, predict } from '#wave/stages/predict.js';
import { copyOf, interop, temporary } from '../model/formats/support.js';
import { context } from './support.js';

const PHOTO = fileURLToPath(new URL('../data/fixtures/images/photo.png', import.meta.url));
const TOLERANCE = 1e-4;
/** transformers resizes by torchvision: of the pixels 0.5 % lie one level of 255 beside Pillow's. Measured: at most 1.5e-4. */
const TOLERANCE_OF_TORCHVISION = 3e-4;

const root = temporary('predict-foreign');
afterAll(() => rmSync(root, { recursive: true }));

async function tensor(path: string, name: string): Promise<Float32Array> {
  const file = await openSafetensors(path);
  const values = await file.readFloat32(name);
  await file.close();
  return values;
}

async function run(model: string, more: Partial<PredictOptions> = {}) {
  const logitsOut = join(root, 'logits.safetensors');
  const told = context();
  const result = await predict({ model, inputs: [PHOTO], top: 1, engine: { threads: 1 }, logitsOut, ...more }, told);
  return { result, logits: await tensor(logitsOut, 'logits'), events: told.events };
}

async function difference(logits: Float32Array, name: string, file = 'photo.png'): Promise<number> {
  const wanted = await tensor(interop('expected.safetensors'), `${file}.${name}`);
  return Math.max(...wanted.map((value, i) => Math.abs(value - logits[i])));
}

it('a JPEG file, too', async () => {
  const jpeg = PHOTO.replace('.png', '.jpg');
  const { logits } = await run(interop('timm-token'), { inputs: [jpeg] });
  // Decoders may differ by a rounding here and there.
  expect(await difference(logits, 'timm-token', 'photo.jpg')).toBeLessThanOrEqual(5e-3);
});

describe.each(['timm-token', 'hf-vit-classic', 'hf-deit-classic'])('%s', (name) => {
  const tolerance = name.startsWith('timm') ? TOLERANCE : TOLERANCE_OF_TORCHVISION;

  it('gives the logits of the library', async () => {
    const { logits, result, events } = await run(interop(name));
    expect(await difference(logits, name)).toBeLessThanOrEqual(tolerance);
    const label = result.predictions[0]?.top[0]?.label ?? '';
    expect(label).toMatch(name.startsWith('timm') ? /^class \d$/ : /^(ant|bee|cat|dog|elk)$/);
    expect(events.filter(({ type }) => type === 'note' || type === 'warning')).toEqual([
      {
        type: 'note',
        text: expect.stringMatching(/: a checkpoint of (timm|Hugging Face), 3 heads \(.*\), epsilon .*\)$/),
      },
    ]);
  });

  it('and once converted, too', async () => {
    const model = join(root, `${name}.safetensors`);
    await convert({ source: interop(name) }, { path: model, force: false }, context());
    const { logits, events } = await run(model);
    expect(await difference(logits, name)).toBeLessThanOrEqual(tolerance);
    expect(events.filter(({ type }) => type === 'note' || type === 'warning')).toEqual([]);
  });

  it.each([
    { resizeMode: name.startsWith('timm') ? 'squash' : 'shortest' },
    { interpolation: 'nearest' },
    { mean: [0.4] },
    { std: [0.4] },
  ] as const)('not with %o', async (preprocess) => {
    const { logits } = await run(interop(name), { preprocess });
    expect(await difference(logits, name)).toBeGreaterThan(0.03);
  });
});

describe('without the files beside it', () => {
  const bare = () => {
    const folder = copyOf('timm-token', root);
    const settings = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).pretrained_cfg;
    rmSync(join(folder, 'config.json'));
    return { folder, settings };
  };

  it('flags say the same', async () => {
    const { folder, settings } = bare();
    const { mean, std, crop_pct: cropPct, interpolation } = settings;
    const { logits, events } = await run(folder, { heads: 3, preprocess: { mean, std, cropPct, interpolation } });
    expect(await difference(logits, 'timm-token')).toBeLessThanOrEqual(TOLERANCE);
    expect(events.filter(({ type }) => type === 'warning')).toEqual([]);
  });

  it('what is assumed is told', async () => {
    const { folder } = bare();
    const { events } = await run(folder, { heads: 3, preprocess: { mean: [0.5] } });
    expect(events.filter(({ type }) => type === 'warning')).toEqual([
      {
        type: 'warning',
        text:
          `${folder} does not say how its images were normalised: mean [0.5], std [0.229, 0.224, 0.225] assumed; --mean and ` +
          '--std say otherwise',
      },
    ]);
  });
});
