/** Prediction from image files, folders and tensors. Images are written here with sharp. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, DataError, InterruptedError, ModelError } from '#wave/base/errors.js';
import { makeLineage, openSafetensors, writeSafetensors } from '#wave/checkpoint/index.js';
import { type DataFacts, modelSchema, resolveModel } from '#wave/model/config.js';
import { initialise } from '#wave/model/initialise.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { saveModel } from '#wave/model/save.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { type PredictOptions, predict } from '#wave/stages/predict.js';
import { context } from './support.js';

const SIDE = 8;
const CLASSES = 3;
const LABELS = ['cat', 'dog', 'two\nlines'];
const root = mkdtempSync(join(tmpdir(), 'wave-predict-'));
afterAll(() => rmSync(root, { recursive: true }));
const at = (name: string) => join(root, name);

const lineage = makeLineage({
  command: 'wave test',
  configSha256: '',
  parents: [],
  seed: 0,
  engine: 'none',
  toolVersion: '0',
});

function spec(channels: number, preprocess: { mean: number[]; std: number[] }): ModelSpec {
  const data: DataFacts = { channels, classes: CLASSES, image: [SIDE, SIDE], preprocess };
  return resolveModel(modelSchema.parse({ patch: 4, depth: 1, width: 16, heads: 2 }), data);
}

/** Values with a large deviation, so that different pixels give clearly different logits. */
const loud = (model: ModelSpec) =>
  new Map([...initialise(model, 5)].map(([name, values]) => [name, values.map((value) => value * 8)]));

const grey = spec(1, { mean: [0.25], std: [0.5] });
const colour = { ...spec(3, { mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 0.5] }), labels: LABELS };

/** `[channels, 8, 8]`: every pixel and channel another value. */
const pixels = (channels: number) => Uint8Array.from({ length: channels * SIDE * SIDE }, (_, i) => (i * 37) % 256);

/** From `[channels, 8, 8]` to what image files hold. */
function interleaved(planar: Uint8Array): Uint8Array {
  const channels = planar.length / SIDE ** 2;
  return Uint8Array.from(planar, (_, i) => planar[(i % channels) * SIDE ** 2 + Math.floor(i / channels)]);
}

function raw(data: Uint8Array | Uint16Array, channels: 1 | 2 | 3 | 4, width = SIDE, height = SIDE) {
  return sharp(data, { raw: { width, height, channels } });
}

/** Logits of inputs, as `--logits` writes them. */
async function logits(model: string, inputs: string[], more: Partial<PredictOptions> = {}): Promise<number[][]> {
  const logitsOut = at('logits.safetensors');
  const { predictions } = await predict(
    { model, inputs, top: 1, engine: { threads: 1 }, ...more, logitsOut },
    context(),
  );
  const file = await openSafetensors(logitsOut);
  const values = await file.readFloat32('logits');
  expect(file.tensors.get('logits')?.shape).toEqual([predictions.length, CLASSES]);
  await file.close();
  return predictions.map((_, i) => [...values.slice(i * CLASSES, (i + 1) * CLASSES)]);
}

/** A safetensors file of images that are normalised by hand. */
async function tensorFile(name: string, model: ModelSpec, images: Uint8Array[]): Promise<string> {
  const { mean, std } = model.preprocess as { mean: number[]; std: number[] };
  const data = images.flatMap((image) =>
    [...image].map((value, i) => {
      const channel = Math.floor(i / SIDE ** 2);
      return (value / 255 - mean[channel]) / std[channel];
    }),
  );
  const shape = [images.length, model.channels, SIDE, SIDE];
  await writeSafetensors(at(name), [['input', { dtype: 'F32', shape, data: Float32Array.from(data) }]]);
  return at(name);
}

/** A grey TIFF file of 32-bit floats, which sharp reads and does not write. */
function floatTiff(values: Float32Array): Buffer {
  const [short, long] = [3, 4];
  const entries = [
    [256, short, SIDE], // width
    [257, short, SIDE], // height
    [258, short, 32], // bits per sample
    [259, short, 1], // not compressed
    [262, short, 1], // black is zero
    [273, long, 8], // where the only strip begins
    [277, short, 1], // samples per pixel
    [278, short, SIDE], // rows per strip
    [279, long, values.byteLength], // bytes of the strip
    [339, short, 3], // samples are floats
  ];
  const start = 8 + values.byteLength;
  const file = Buffer.alloc(start + 2 + 12 * entries.length + 4);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(start, 4);
  Buffer.from(values.buffer).copy(file, 8);
  file.writeUInt16LE(entries.length, start);
  entries.forEach(([tag, type, value], n) => {
    const at = start + 2 + 12 * n;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(1, at + 4);
    file.writeUInt32LE(value, at + 8);
  });
  return file;
}

beforeAll(async () => {
  await saveModel(at('grey.safetensors'), { spec: grey, values: loud(grey), lineage });
  await saveModel(at('colour.safetensors'), { spec: colour, values: loud(colour), lineage });
  await raw(pixels(1), 1).png().toFile(at('grey.png'));
  await raw(interleaved(pixels(3)), 3)
    .png()
    .toFile(at('colour.png'));
});

describe('the file for the logits', () => {
  it.each(['grey.safetensors', 'grey.png'])('may not be %s, which is read', async (name) => {
    const before = readFileSync(at(name));
    const options = { model: at('grey.safetensors'), inputs: [at('grey.png')], top: 1, logitsOut: at(name) };
    await expect(predict(options, context())).rejects.toThrow(/is read by this command; name another file/);
    expect(readFileSync(at(name))).toEqual(before);
  });
});

describe('the same pixels give the same logits', () => {
  it('as a grey image and as a tensor', async () => {
    const tensor = await tensorFile('grey-input.safetensors', grey, [pixels(1)]);
    const [image, prepared] = await logits(at('grey.safetensors'), [at('grey.png'), tensor]);
    expect(image).toEqual(prepared);
  });

  it('as a colour image and as a tensor, channel by channel', async () => {
    const tensor = await tensorFile('colour-input.safetensors', colour, [pixels(3)]);
    const [image, prepared] = await logits(at('colour.safetensors'), [at('colour.png'), tensor]);
    expect(image).toEqual(prepared);
  });

  it('alone, and among more images than are computed at a time', async () => {
    const images = Array.from({ length: 37 }, (_, n) => pixels(1).map((value) => (value + 7 * n) % 256));
    const many = await logits(at('grey.safetensors'), [await tensorFile('many.safetensors', grey, images)]);
    expect(many).toHaveLength(37);
    for (const n of [0, 15, 16, 36]) {
      const [alone] = await logits(at('grey.safetensors'), [await tensorFile('one.safetensors', grey, [images[n]])]);
      expect(many[n]).toEqual(alone);
    }
  });

  it('as files before, between and after tensors, in the order in which they are given', async () => {
    const images = Array.from({ length: 20 }, (_, n) => pixels(1).map((value) => (value + 11 * n) % 256));
    const paths = await Promise.all(
      images.map(async (image, n) => {
        const path = at(`ordered-${n}.png`);
        await raw(image, 1).png().toFile(path);
        return path;
      }),
    );
    const tensor = await tensorFile('between.safetensors', grey, images.slice(0, 2));
    const given = [...paths.slice(0, 18), tensor, ...paths.slice(18)];
    const all = await logits(at('grey.safetensors'), given);
    const prepared = await logits(at('grey.safetensors'), [await tensorFile('all.safetensors', grey, images)]);
    expect(all).toEqual([...prepared.slice(0, 18), ...prepared.slice(0, 2), ...prepared.slice(18)]);
  });

  it('for a grey image in a colour model, which sees it three times', async () => {
    const three = Uint8Array.from([...pixels(1), ...pixels(1), ...pixels(1)]);
    const tensor = await tensorFile('three.safetensors', colour, [three]);
    const [image, prepared] = await logits(at('colour.safetensors'), [at('grey.png'), tensor]);
    expect(image).toEqual(prepared);
  });

  it('with 16 bits', async () => {
    const wide = Uint16Array.from(pixels(1), (value) => value * 257);
    await raw(wide, 1).toColourspace('grey16').png().toFile(at('wide.png'));
    const [eight, sixteen] = await logits(at('grey.safetensors'), [at('grey.png'), at('wide.png')]);
    expect(sixteen).toEqual(eight);
  });

  it('with an opaque alpha channel, and a transparent one makes pixels black', async () => {
    const withAlpha = (alpha: number) =>
      Uint8Array.from({ length: 4 * SIDE ** 2 }, (_, i) => (i % 4 === 3 ? alpha : pixels(1)[Math.floor(i / 4)]));
    await raw(withAlpha(255), 4).png().toFile(at('opaque.png'));
    await raw(withAlpha(0), 4).png().toFile(at('clear.png'));
    const black = await tensorFile('black.safetensors', grey, [new Uint8Array(SIDE ** 2)]);
    const inputs = [at('grey.png'), at('opaque.png'), black, at('clear.png')];
    const [plain, opaque, dark, clear] = await logits(at('grey.safetensors'), inputs);
    expect(opaque).toEqual(plain);
    expect(clear).toEqual(dark);
  });

  it('turned as EXIF says', async () => {
    // Orientation 6: stored on its side, to be turned by 90 degrees clockwise when shown.
    const shown = pixels(1);
    const stored = Uint8Array.from(shown, (_, i) => shown[(i % SIDE) * SIDE + (SIDE - 1 - Math.floor(i / SIDE))]);
    await raw(stored, 1).withMetadata({ orientation: 6 }).png().toFile(at('turned.png'));
    const [upright, turned] = await logits(at('grey.safetensors'), [at('grey.png'), at('turned.png')]);
    expect(turned).toEqual(upright);
  });

  it('for the centre of a wider image', async () => {
    const wide = new Uint8Array(3 * SIDE * SIDE).map((_, i) => {
      const [row, column] = [Math.floor(i / (3 * SIDE)), i % (3 * SIDE)];
      return column >= SIDE && column < 2 * SIDE ? pixels(1)[row * SIDE + column - SIDE] : 255;
    });
    await raw(wide, 1, 3 * SIDE)
      .png()
      .toFile(at('wider.png'));
    const [narrow, cropped] = await logits(at('grey.safetensors'), [at('grey.png'), at('wider.png')]);
    expect(cropped).toEqual(narrow);
  });
});

describe('predict', () => {
  it('lists the images of a folder by name, and nothing else in it', async () => {
    mkdirSync(at('folder/sub'), { recursive: true });
    for (const name of ['b.PNG', 'a.png', 'sub/c.png'])
      writeFileSync(at(`folder/${name}`), readFileSync(at('grey.png')));
    writeFileSync(at('folder/notes.txt'), 'no image');
    const { predictions } = await predict({ model: at('grey.safetensors'), inputs: [at('folder')], top: 1 }, context());
    expect(predictions.map(({ input, index }) => [input, index])).toEqual([
      [at('folder/a.png'), 0],
      [at('folder/b.PNG'), 0],
    ]);
  });

  it('numbers the images of one file', async () => {
    const tensor = await tensorFile('two.safetensors', grey, [pixels(1), new Uint8Array(SIDE ** 2)]);
    const { predictions } = await predict({ model: at('grey.safetensors'), inputs: [tensor], top: 1 }, context());
    expect(predictions.map(({ input, index }) => [input, index])).toEqual([
      [tensor, 0],
      [tensor, 1],
    ]);
  });

  it('ranks classes by probability, which is the softmax of the logits', async () => {
    const model = at('grey.safetensors');
    const [row] = await logits(model, [at('grey.png')]);
    const { predictions, classes } = await predict({ model, inputs: [at('grey.png')], top: 9 }, context());
    const total = row.reduce((sum, value) => sum + Math.exp(value), 0);
    const expected = row
      .map((value, index) => ({ label: `class ${index}`, class: index, probability: Math.exp(value) / total }))
      .sort((a, b) => b.probability - a.probability);
    expect(classes).toBe(CLASSES);
    expect(predictions[0].top).toEqual(
      expected.map((guess) => ({ ...guess, probability: expect.closeTo(guess.probability, 6) })),
    );
  });

  it('names the classes as the model does', async () => {
    const model = at('colour.safetensors');
    const { predictions } = await predict({ model, inputs: [at('colour.png')], top: 3 }, context());
    expect(predictions[0].top.every(({ label, class: index }) => label === LABELS[index])).toBe(true);
  });

  it('stops when it is interrupted', async () => {
    const stopped = context();
    stopped.stop();
    const options = { model: at('grey.safetensors'), inputs: [at('grey.png')], top: 1 };
    await expect(predict(options, stopped)).rejects.toThrow(InterruptedError);
  });
});

describe('a bare checkpoint of timm', () => {
  const bare = () => at('timm.safetensors');
  beforeAll(async () => {
    const values = loud(colour);
    const tensors = [...parameterShapes(colour)].map(
      ([name, shape]) => [name, { dtype: 'F32', shape, data: values.get(name) as Float32Array }] as const,
    );
    await writeSafetensors(bare(), tensors, [['format', 'pt']]);
  });

  it('gives the logits of the same model that says what it is', async () => {
    const tensor = await tensorFile('same.safetensors', colour, [pixels(3)]);
    const expected = await logits(at('colour.safetensors'), [tensor]);
    expect(await logits(bare(), [tensor], { heads: 2 })).toEqual(expected);
  });

  it('needs the number of heads', async () => {
    const refused = predict({ model: bare(), inputs: [at('colour.png')], top: 1 }, context());
    await expect(refused).rejects.toThrow(
      new ModelError(
        `${bare()}: does not say how many attention heads it has, and there is no config.json beside it; copy it there, or give --heads N`,
      ),
    );
  });

  it('has its images normalised as ImageNet, with a warning; prepared ones need none', async () => {
    const tensor = await tensorFile('own.safetensors', colour, [pixels(3)]);
    const warnings = async (input: string) => {
      const told = context();
      await predict({ model: bare(), inputs: [input], heads: 2, top: 1 }, told);
      return told.events.filter(({ type }) => type === 'warning');
    };
    expect(await warnings(tensor)).toEqual([]);
    expect(await warnings(at('colour.png'))).toEqual([
      {
        type: 'warning',
        text: expect.stringContaining('mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225] assumed'),
      },
    ]);
  });
});

describe('an input that cannot be used is refused in one line that names it', () => {
  const refused = (input: string, model = 'grey.safetensors') =>
    predict({ model: at(model), inputs: [at('grey.png'), input], top: 1 }, context());

  it.each([
    ['a file that is not there', 'none.png', undefined, /no such file/],
    ['a folder without images', 'empty/', '', /holds no images/],
    ['an empty file', 'empty.png', '', /the file is empty/],
    ['a text', 'text.png', 'not an image', /cannot be decoded/],
  ])('%s', async (_what, name, content, message) => {
    if (name.endsWith('/')) mkdirSync(at(name), { recursive: true });
    else if (content !== undefined) writeFileSync(at(name), content);
    const failing = refused(at(name));
    await expect(failing).rejects.toThrow(DataError);
    await expect(failing).rejects.toThrow(message);
    await expect(failing).rejects.toThrow(/^[^\n]+$/);
    await expect(failing).rejects.toThrow(at(name));
  });

  it('an image that is cut', async () => {
    const whole = readFileSync(at('colour.png'));
    writeFileSync(at('cut.png'), whole.subarray(0, whole.length - 40));
    await expect(refused(at('cut.png'))).rejects.toThrow(/cut\.png: cannot be decoded as an image: [^\n]+$/);
  });

  it('an image that claims to be huge', async () => {
    const huge = Buffer.from(readFileSync(at('grey.png')));
    huge.writeUInt32BE(60_000, 16);
    huge.writeUInt32BE(60_000, 20);
    huge.writeUInt32BE(crc32(huge.subarray(12, 29)), 29);
    writeFileSync(at('huge.png'), huge);
    await expect(refused(at('huge.png'))).rejects.toThrow(/huge\.png: .*exceeds pixel limit of 100000000$/);
  });

  it('an image whose values have no known range', async () => {
    writeFileSync(at('f.tif'), floatTiff(Float32Array.from(pixels(1), (value) => value / 255)));
    await expect(refused(at('f.tif'))).rejects.toThrow(/f\.tif: .*values of type float, expected 8 or 16 bits$/);
  });

  it('tensors of another shape, type or name', async () => {
    const image = { dtype: 'F32' as const, shape: [1, 1, 4, 4], data: new Float32Array(16) };
    await writeSafetensors(at('shape.safetensors'), [['input', image]]);
    await expect(refused(at('shape.safetensors'))).rejects.toThrow(
      /"input" must be F32 \[batch, 1, 8, 8\] for this model, found F32 \[1, 1, 4, 4\]$/,
    );
    await writeSafetensors(at('type.safetensors'), [
      ['input', { dtype: 'I32', shape: [1, 1, SIDE, SIDE], data: new Int32Array(SIDE ** 2) }],
    ]);
    await expect(refused(at('type.safetensors'))).rejects.toThrow(/must be F32 .*, found I32 \[1, 1, 8, 8\]$/);
    await writeSafetensors(at('name.safetensors'), [['images', image]]);
    await expect(refused(at('name.safetensors'))).rejects.toThrow(/holds no tensor "input" \[batch, 1, 8, 8\]$/);
  });

  it('values that are not numbers', async () => {
    const data = new Float32Array(SIDE ** 2).fill(Number.NaN);
    await writeSafetensors(at('nan.safetensors'), [['input', { dtype: 'F32', shape: [1, 1, SIDE, SIDE], data }]]);
    await expect(refused(at('nan.safetensors'))).rejects.toThrow(/gives logits that are not finite for .*nan/);
  });

  it('a wrong engine', async () => {
    const options = { model: at('grey.safetensors'), inputs: [at('grey.png')], top: 1 };
    await expect(predict({ ...options, engine: { threads: 0 } }, context())).rejects.toThrow(ConfigError);
    await expect(predict({ ...options, engine: { threads: 0 } }, context())).rejects.toThrow(/^engine\.threads: /);
    await expect(predict({ ...options, engine: { device: 'cud' } }, context())).rejects.toThrow(/no device 'cud'/);
  });
});
