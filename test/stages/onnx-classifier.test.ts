/** Classifiers in ONNX files: what they give for the loader's batches, and what has to be said about them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, EngineError } from '#wave/base/errors.js';
import { sha256File } from '#wave/base/sha256.js';
import { openSafetensors } from '#wave/checkpoint/index.js';
import { patchify } from '#wave/data/index.js';
import type { OnnxFile } from '#wave/engine/onnx-file.js';
import { ModelProto } from '#wave/engine/ort/onnx-schema.js';
import { onnxModel } from '#wave/model/export/onnx.js';
import { initialise } from '#wave/model/initialise.js';
import type { ModelSpec } from '#wave/model/spec.js';
import type { OnnxClassifier } from '#wave/stages/onnx-classifier.js';
import { type OnnxData, onnxSchema, planClassifier } from '#wave/stages/onnx-config.js';
import { LOGITS, PATCHES } from '#wave/train/index.js';
import { GREY, onnxFixture, openClassifier } from './onnx-support.js';

interface Case {
  readonly pixels: 'grey' | 'colour';
  readonly settings: { readonly gives: string };
}
const cases: Record<string, Case> = JSON.parse(readFileSync(onnxFixture('cases.json'), 'utf8'));
const answers = await openSafetensors(onnxFixture('answers.safetensors'));
const root = mkdtempSync(join(tmpdir(), 'wave-onnx-'));
afterAll(async () => {
  rmSync(root, { recursive: true });
  await answers.close();
});

/** Images in 0..1 with the data that they would come from: normalised per channel. */
async function images(kind: 'grey' | 'colour'): Promise<{ pixels: Float32Array; data: OnnxData }> {
  const pixels = await answers.readFloat32(`pixels.${kind}`);
  const colour: OnnxData = { channels: 3, classes: 4, image: [10, 14], mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] };
  return { pixels, data: kind === 'grey' ? GREY : colour };
}

/** A batch as the loader makes it: normalised, in patches. */
function batchOf(pixels: Float32Array, { channels, image: [height, width], mean, std }: OnnxData, patch: number) {
  const area = height * width;
  const normalised = pixels.map((value, i) => {
    const c = Math.floor(i / area) % channels;
    return (value - (mean[mean.length === 1 ? 0 : c] as number)) / (std[std.length === 1 ? 0 : c] as number);
  });
  return patchify(normalised, { batch: pixels.length / channels / area, channels, height, width, patch });
}

async function ask(classifier: OnnxClassifier, patches: Float32Array, patch = 2): Promise<Float32Array> {
  const outputs = await classifier.stepFor(patch).run(new Map([[PATCHES, patches]]));
  return outputs.get(LOGITS) as Float32Array;
}

/** @param tolerance of numbers up to 1, and relative above */
function expectClose(found: Float32Array, wanted: Float32Array, tolerance: number): void {
  expect(found.length).toBe(wanted.length);
  const errors = [...found].map((value, i) => Math.abs(value - wanted[i]) / Math.max(1, Math.abs(wanted[i])));
  expect(Math.max(...errors)).toBeLessThan(tolerance);
}

describe("what onnxruntime's Python package gives for images that PyTorch has resized is given here", () => {
  // Half precision keeps 11 bits of each pixel and of each sum.
  it.each(Object.entries(cases))('%s', async (name, { pixels: kind, settings }) => {
    const { pixels, data } = await images(kind);
    const classifier = await openClassifier(name, settings, data);
    const found = await ask(classifier, batchOf(pixels, data, 2));
    await classifier.close();
    const wanted = await answers.readFloat32(`answers.${name}`);
    const isProbability = settings.gives === 'probabilities';
    const tolerance = name === 'half' ? 4e-3 : 1e-4;
    expectClose(isProbability ? found.map(Math.exp) : found, wanted, tolerance);
    expect(new Set(wanted).size).toBeGreaterThan(20);
  });
});

describe('a classifier', () => {
  const dynamic = cases.dynamic as Case;

  it.each([1, 4, 8])('gives the same whatever the patches of the loader: %s', async (patch) => {
    const { pixels, data } = await images('grey');
    const classifier = await openClassifier('dynamic', dynamic.settings, data);
    const found = await ask(classifier, batchOf(pixels, data, patch), patch);
    await classifier.close();
    expectClose(found, await answers.readFloat32('answers.dynamic'), 1e-4);
  });

  it.each([1, 3, 4, 5])('of batch 4 is asked in parts, the last one filled up: %s images', async (count) => {
    const { pixels, data } = await images('grey');
    const classifier = await openClassifier('fixed-softmax', cases['fixed-softmax']?.settings, data);
    const found = await ask(classifier, batchOf(pixels.slice(0, count * 256), data, 2));
    await classifier.close();
    const wanted = await answers.readFloat32('answers.fixed-softmax');
    expectClose(found.map(Math.exp), wanted.slice(0, count * 4), 1e-4);
  });

  it('leaves its batch usable, and tells what it is', async () => {
    const { pixels, data } = await images('grey');
    const classifier = await openClassifier('dynamic', dynamic.settings, data);
    const patches = batchOf(pixels, data, 2);
    const before = patches.slice();
    await ask(classifier, patches);
    await classifier.close();
    expect(patches).toEqual(before);
    expect(classifier.parameters).toBe(132);
    expect(classifier.sha256).toBe(await sha256File(onnxFixture('dynamic.onnx')));
  });

  it('that gives probability 0 gives a finite logit', async () => {
    // Weights so large that the softmax is 0 and 1.
    const model = ModelProto.decode(readFileSync(onnxFixture('fixed-softmax.onnx'))) as unknown as {
      graph: { initializer: { name: string; rawData: Uint8Array }[] };
    };
    for (const tensor of model.graph.initializer.filter(({ name }) => name === 'head.weight')) {
      const values = new Float32Array(Uint8Array.from(tensor.rawData).buffer).map((value) => 1000 * value);
      tensor.rawData = new Uint8Array(values.buffer);
    }
    const path = join(root, 'sharp.onnx');
    writeFileSync(path, ModelProto.encode(model).finish());
    const { pixels, data } = await images('grey');
    const classifier = await openClassifier(path, cases['fixed-softmax']?.settings, data);
    const found = await ask(classifier, batchOf(pixels, data, 2));
    await classifier.close();
    expect(Math.min(...found)).toBeCloseTo(Math.log(1e-12), 4);
  });
});

describe('an export of this suite', () => {
  const spec: ModelSpec = {
    image: [16, 16],
    patch: 4,
    channels: 1,
    depth: 1,
    width: 32,
    heads: 2,
    hidden: 64,
    classes: 4,
    eps: 1e-6,
    pool: 'token',
    final_norm: 'norm',
    class_token: true,
    distillation_token: false,
    register_tokens: 0,
    position_prefix: true,
    preprocess: { mean: [0.1], std: [0.7], interpolation: 'bilinear' },
  };

  it.each([false, true])('needs no settings: with softmax %s', async (softmax) => {
    const path = join(root, `export-${softmax}.onnx`);
    writeFileSync(path, onnxModel({ spec, values: initialise(spec, 0) }, { softmax }));
    const classifier = await openClassifier(path);
    await classifier.close();
    expect(classifier.plan).toMatchObject({
      layout: 'nchw',
      batch: undefined,
      channels: 1,
      image: [16, 16],
      mean: [0.1],
      std: [0.7],
      interpolation: 'bilinear',
      gives: softmax ? 'probabilities' : 'logits',
    });
  });

  it('is believed less than the settings', async () => {
    const classifier = await openClassifier(join(root, 'export-false.onnx'), {
      mean: [0],
      std: [1],
      interpolation: 'bicubic',
    });
    await classifier.close();
    expect(classifier.plan).toMatchObject({ mean: [0], std: [1], interpolation: 'bicubic' });
  });
});

it('mean and deviation are those of the data where nobody says others', async () => {
  const classifier = await openClassifier('dynamic', { gives: 'logits' });
  await classifier.close();
  expect(classifier.plan).toMatchObject({ mean: [0.3, 0.3, 0.3], std: [0.2, 0.2, 0.2], interpolation: 'bicubic' });
});

describe('what does not fit is told in one line', () => {
  const COLOUR: OnnxData = { ...GREY, channels: 3 };
  const logits = { gives: 'logits' };

  it.each<[string, string, object, OnnxData, RegExp]>([
    [
      'what the output is',
      'dynamic',
      {},
      GREY,
      /^onnx\.gives: .*dynamic\.onnx does not say what its output "logits" is; set/,
    ],
    [
      'an input that is not there',
      'dynamic',
      { input: 'x', ...logits },
      GREY,
      /^onnx\.input: .* has no input "x"; it has "images"/,
    ],
    ['an output that is not there', 'dynamic', { output: 'y', ...logits }, GREY, /^onnx\.output: .* has no output "y"/],
    [
      'one of two outputs',
      'two-outputs',
      logits,
      COLOUR,
      /^onnx\.output: .*"features" \[batch, 4\], "logits" \[batch, 4\]; name/,
    ],
    [
      'a second input',
      'bad/two-inputs',
      logits,
      GREY,
      /needs "images" .*, "size" \[1\]; only a model that takes nothing but/,
    ],
    ['a second input of two', 'bad/two-inputs', { input: 'images' }, GREY, /also needs "size" \[1\]; only a model/],
    ['vectors as input', 'bad/no-image', logits, GREY, /takes "x" \[batch, 4\]; an image classifier takes four axes/],
    [
      'classes',
      'dynamic',
      logits,
      { ...GREY, classes: 5 },
      /dynamic\.onnx and data: the model has classes 4, the data 5/,
    ],
    [
      'channels',
      'fixed-softmax',
      logits,
      COLOUR,
      /takes images with channels 1, those of the data have 3; change data\.channels/,
    ],
    [
      'the layout',
      'symbolic',
      logits,
      COLOUR,
      /^onnx\.layout: .*\[batch, channels, height, width\], which does not tell/,
    ],
    [
      'the size',
      'symbolic',
      { layout: 'nchw', ...logits },
      COLOUR,
      /^onnx\.image: .* takes images of any size \(heightxwidth\); give/,
    ],
    [
      'another size',
      'dynamic',
      { image: 32, ...logits },
      GREY,
      /^onnx\.image: .* takes 16x16, found 32x32; leave it out/,
    ],
    [
      'values of mean',
      'dynamic',
      { mean: [0, 0], ...logits },
      GREY,
      /^onnx\.mean: 2 values for the 3 channels of .*; give one per/,
    ],
    [
      'mean with a scale',
      'nhwc-255',
      { scale: 255, ...logits },
      COLOUR,
      /^onnx\.mean: is counted in values up to 255 \(onnx\.scale\); give it, \[0\]/,
    ],
    [
      'whole numbers',
      'bytes',
      logits,
      GREY,
      /^onnx\.scale: .* takes whole numbers from 0 to 255, found scale 1; set 255/,
    ],
  ])('%s', async (_what, name, settings, data, message) => {
    const path = name.startsWith('bad/') ? onnxFixture(`${name}.onnx`) : name;
    const opening = openClassifier(path, settings, data);
    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(/^[^\n]+$/);
  });

  it.each<[string, object, RegExp]>([
    [
      'dynamic',
      { gives: 'probabilities' },
      /^onnx\.gives: probabilities, but rows of output "logits" of .* do not sum to 1; set logits$/,
    ],
    [
      'fixed-softmax',
      logits,
      /^onnx\.gives: logits, but all rows of output "probabilities" of .* sum to 1; set probabilities$/,
    ],
  ])('logits and probabilities that were mixed up: %s', async (name, settings, message) => {
    const { pixels, data } = await images('grey');
    const classifier = await openClassifier(name, settings, data);
    const asking = ask(classifier, batchOf(pixels, data, 2));
    await expect(asking).rejects.toThrow(ConfigError);
    await expect(asking).rejects.toThrow(message);
    await classifier.close();
  });

  it('classes that only an answer tells', async () => {
    // Which columns are kept is told by values, so that no shape can be inferred.
    const model = ModelProto.decode(readFileSync(onnxFixture('dynamic.onnx'))) as unknown as {
      graph: { node: object[]; initializer: object[]; output: { name: string; type: { tensorType: object } }[] };
    };
    const { graph } = model;
    graph.initializer.push({ name: 'kept', dims: [4], dataType: 9, rawData: Uint8Array.of(1, 1, 1, 1) });
    const axis = { name: 'axis', type: 2, i: 1 };
    graph.node.push({ opType: 'Compress', input: ['logits', 'kept'], output: ['columns'], attribute: [axis] });
    graph.output = [{ name: 'columns', type: { tensorType: { elemType: 1, shape: { dim: [{}, {}] } } } }];
    const path = join(root, 'open-classes.onnx');
    writeFileSync(path, ModelProto.encode(model).finish());
    const { pixels, data } = await images('grey');
    const classifier = await openClassifier(path, logits, { ...data, classes: 3 });
    await expect(ask(classifier, batchOf(pixels, data, 2))).rejects.toThrow(
      /and data: the model gives 4 numbers for an image, the data has 3 classes; change one of them/,
    );
    await classifier.close();
  });

  it.each<[string, readonly number[], RegExp]>([
    ['a batch of none', [0, 1, 12, 20], /with batch 0, expected 1 to 65536; export the model again$/],
    ['a huge batch', [2 ** 40, 1, 12, 20], /with batch 1099511627776, expected 1 to 65536/],
    ['no height', [4, 1, 0, 20], /with height 0, expected 1 to 16384/],
    ['a huge width', [4, 1, 12, 100_000], /with width 100000, expected 1 to 16384/],
  ])('%s', async (_what, sizes, message) => {
    // Planned from what a file says: onnxruntime refuses some of these itself.
    const input = { name: 'images', type: 'float32', shape: sizes };
    const output = { name: 'logits', type: 'float32', shape: ['batch', 4] };
    const file: Pick<OnnxFile, 'inputs' | 'outputs' | 'metadata'> = {
      inputs: [input],
      outputs: [output],
      metadata: new Map(),
    };
    const plan = () =>
      planClassifier('zero.onnx', file as OnnxFile, onnxSchema.parse({ gives: 'logits', layout: 'nchw' }), GREY);
    expect(plan).toThrow(ConfigError);
    expect(plan).toThrow(message);
    expect(plan).toThrow(/^zero\.onnx: takes [^\n]+$/);
  });

  it('a file whose batch has no images', async () => {
    const bytes = readFileSync(onnxFixture('fixed-softmax.onnx'));
    // The sizes of the input, as protobuf has them: the value of the first is the fourth byte.
    const sizes = Buffer.from([4, 1, 12, 20].flatMap((size) => [0x0a, 2, 8, size]));
    const at = bytes.indexOf(sizes);
    expect(at).toBeGreaterThan(0);
    bytes[at + 3] = 0;
    const path = join(root, 'zero.onnx');
    writeFileSync(path, bytes);
    await expect(openClassifier(path, cases['fixed-softmax']?.settings)).rejects.toThrow(
      /zero\.onnx: takes "images" \[0, 1, 12, 20\], with batch 0, expected 1 to 65536; export the model again$/,
    );
  });

  it('a batch that only seems free', async () => {
    // The shape of the input says that any batch goes; a Reshape to four images inside says otherwise.
    const model = ModelProto.decode(readFileSync(onnxFixture('fixed-softmax.onnx'))) as unknown as {
      graph: {
        node: object[];
        initializer: object[];
        input: { type: { tensorType: { shape: { dim: object[] } } } }[];
        output: { type: { tensorType: { shape: { dim: object[] } } } }[];
      };
    };
    const { graph } = model;
    for (const value of [...graph.input, ...graph.output]) value.type.tensorType.shape.dim[0] = {};
    const shape = new BigInt64Array([4n, 1n, 12n, 20n]);
    graph.initializer.push({ name: 'shape', dims: [4], dataType: 7, rawData: new Uint8Array(shape.buffer) });
    const [first, ...others] = graph.node as { input: string[] }[];
    const reshape = { opType: 'Reshape', input: ['images', 'shape'], output: ['four'] };
    if (first) first.input[0] = 'four';
    graph.node = [reshape, first as object, ...others];
    const path = join(root, 'seemingly-free.onnx');
    writeFileSync(path, ModelProto.encode(model).finish());
    const { pixels, data } = await images('grey');
    const classifier = await openClassifier(path, { ...cases['fixed-softmax']?.settings }, data);
    const asking = ask(classifier, batchOf(pixels, data, 2));
    await expect(asking).rejects.toThrow(EngineError);
    await expect(asking).rejects.toThrow(/seemingly-free\.onnx: cannot be run on images \[6, 1, 12, 20\]: [^\n]+$/);
    await classifier.close();
  });
});
