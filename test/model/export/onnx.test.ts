/** Exported ONNX models in onnxruntime, against our own forward pass and against timm's logits. */
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { createRng } from '#wave/base/rng.js';
import { elementCount } from '#wave/base/shape.js';
import { ModelProto } from '#wave/engine/ort/onnx-schema.js';
import { ONNX_OPSET, onnxModel, onnxModelParts, PIXEL_VALUES } from '#wave/model/export/onnx.js';
import { onnxMetadata, onnxSpec } from '#wave/model/export/onnx-metadata.js';
import { loadModel } from '#wave/model/load.js';
import { parameterCount, parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { inferenceProgram, LOGITS, PATCHES } from '#wave/train/program.js';
import { expectClose } from '../../support/close.js';
import { testEngine } from '../../support/engine.js';
import * as pure from '../../support/pure-weights.js';
import { fixture, patchesOf, specOf, stateOf, TINY, tensorFixture } from '../support.js';

const engine = testEngine();
afterAll(() => engine.dispose());

/** What of a `ModelProto` the tests read. */
interface Decoded {
  readonly irVersion: string | number;
  readonly producerName: string;
  readonly opsetImport: readonly { domain: string; version: number }[];
  readonly metadataProps: readonly { key: string; value: string }[];
  readonly graph: {
    readonly node: readonly { name: string; opType: string; domain: string; input: string[]; output: string[] }[];
    readonly initializer: readonly { name: string; dims: number[]; dataType: number; rawData: Uint8Array }[];
    readonly input: readonly ValueInfo[];
    readonly output: readonly ValueInfo[];
  };
}
interface ValueInfo {
  readonly name: string;
  readonly type: { tensorType: { elemType: number; shape: { dim: { dimValue?: number; dimParam?: string }[] } } };
}

const decode = (bytes: Uint8Array): Decoded =>
  ModelProto.toObject(ModelProto.decode(bytes), { longs: Number, defaults: true }) as unknown as Decoded;
const metadataOf = ({ metadataProps }: Decoded) => new Map(metadataProps.map(({ key, value }) => [key, value]));

/** Weights of deviation 0.3: large enough that every part of the model shows in the logits. */
function randomValues(spec: ModelSpec): Map<string, Float32Array> {
  const rng = createRng(0, 'onnx');
  const draw = (shape: readonly number[]) =>
    Float32Array.from({ length: elementCount(shape) }, () => rng.normal() * 0.3);
  return new Map([...parameterShapes(spec)].map(([name, shape]) => [name, draw(shape)]));
}

async function inOnnxruntime(bytes: Uint8Array, spec: ModelSpec, images: Float32Array, batch: number) {
  const session = await ort.InferenceSession.create(bytes);
  try {
    const input = new ort.Tensor(images, [batch, spec.channels, ...spec.image]);
    const outputs = await session.run({ [PIXEL_VALUES]: input });
    const [name] = session.outputNames as [string];
    expect(outputs[name].dims).toEqual([batch, spec.classes]);
    return { name, values: outputs[name].data as Float32Array };
  } finally {
    await session.release();
  }
}

async function inOurs(spec: ModelSpec, values: ReadonlyMap<string, Float32Array>, images: Float32Array, batch: number) {
  const state = await stateOf(engine, spec, values);
  const step = await engine.compileInference(inferenceProgram(spec, batch), state, { frozen: false });
  const outputs = await step.run(new Map([[PATCHES, patchesOf(images, spec, batch)]]));
  await step.dispose();
  await state.dispose();
  return outputs.get(LOGITS) as Float32Array;
}

const imagesOf = (spec: ModelSpec, batch: number) =>
  pure.normalSized('images', batch * spec.channels * spec.image[0] * spec.image[1]);

const small = (more: Partial<ModelSpec> = {}): ModelSpec => specOf(TINY, { hidden: 20, ...more });
const VARIANTS: [string, Partial<ModelSpec>][] = [
  ['a class token', {}],
  ['one block', { depth: 1 }],
  ['one head', { heads: 1 }],
  ['a distillation token', { distillation_token: true }],
  ['registers', { register_tokens: 3 }],
  ['a distillation token and registers', { distillation_token: true, register_tokens: 2 }],
  ['registers without positions', { register_tokens: 3, position_prefix: false }],
  ['a class token without position', { position_prefix: false }],
  ['pooling before the norm', { pool: 'avg', final_norm: 'fc_norm' }],
  ['pooling after the norm', { pool: 'avg' }],
  ['no class token', { pool: 'avg', final_norm: 'fc_norm', class_token: false }],
  ['no class token, registers', { pool: 'avg', class_token: false, register_tokens: 2, position_prefix: false }],
  ['wide images', { image: [4, 10] }],
  ['tall images of one channel', { image: [8, 2], channels: 1 }],
  ['a large epsilon', { eps: 0.5 }],
  ['one class', { classes: 1 }],
];

describe('a model with', () => {
  it.each(VARIANTS)('%s gives our logits for any batch', async (_, more) => {
    const spec = small(more);
    const values = randomValues(spec);
    const bytes = onnxModel({ spec, values }, { softmax: false });
    for (const batch of [1, 3]) {
      const images = imagesOf(spec, batch);
      const { name, values: found } = await inOnnxruntime(bytes, spec, images, batch);
      expect(name).toBe('logits');
      const expected = await inOurs(spec, values, images, batch);
      expectClose(`logits of ${batch}`, found, expected, { relative: 1e-5, absolute: 1e-4 });
    }
  });
});

describe('a checkpoint of timm', () => {
  const NAMES = ['token', 'distilled', 'mean', 'mean-without-class-token', 'registers', 'registers-unplaced'];

  it.each(NAMES)('gives the logits that timm gives: %s', async (name) => {
    const { tensors } = await tensorFixture('timm-logits.safetensors');
    const model = await loadModel(fixture(`timm-small-${name}.safetensors`), { heads: 3 });
    const images = pure.normalSized('images', 2 * 3 * model.spec.image[0] ** 2);
    const { values } = await inOnnxruntime(onnxModel(model, { softmax: false }), model.spec, images, 2);
    expectClose('logits', values, tensors.get(name) as Float32Array, { relative: 1e-4, absolute: 1e-4 });
  });
});

describe('with softmax', () => {
  it('gives the softmax of the logits, and calls it so', async () => {
    const spec = small({ classes: 7 });
    const values = randomValues(spec);
    const images = imagesOf(spec, 5);
    const logits = await inOnnxruntime(onnxModel({ spec, values }, { softmax: false }), spec, images, 5);
    const bytes = onnxModel({ spec, values }, { softmax: true });
    const { name, values: found } = await inOnnxruntime(bytes, spec, images, 5);
    expect(name).toBe('probabilities');
    expect(metadataOf(decode(bytes)).get('output')).toBe('probabilities');
    for (let row = 0; row < 5; row++) {
      const exponentials = Array.from(logits.values.subarray(row * 7, row * 7 + 7), Math.exp);
      const sum = exponentials.reduce((a, b) => a + b);
      const probabilities = found.subarray(row * 7, row * 7 + 7);
      expectClose(
        `row ${row}`,
        probabilities,
        exponentials.map((e) => e / sum),
        { absolute: 1e-6 },
      );
      expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    }
  });
});

describe('the file', () => {
  const spec = small({
    image: [6, 4],
    distillation_token: true,
    register_tokens: 2,
    labels: ['crème', 'b "quoted"', 'c', 'd'],
    preprocess: {
      mean: [0.1, 0.2, 0.3],
      std: [1, 2, 3],
      resize: [9, 8],
      resize_mode: 'squash',
      interpolation: 'lanczos',
    },
  });
  const values = randomValues(spec);
  const bytes = onnxModel({ spec, values }, { softmax: false });
  const model = decode(bytes);

  it('holds every parameter once, under its name, with its shape and values', () => {
    const names = model.graph.initializer.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const stored = new Map(model.graph.initializer.map((each) => [each.name, each]));
    for (const [name, shape] of parameterShapes(spec)) {
      const tensor = stored.get(name);
      expect(tensor?.dims, name).toEqual(shape);
      const bits = new Uint8Array((values.get(name) as Float32Array).buffer);
      expect(Buffer.compare(tensor?.rawData as Uint8Array, bits), name).toBe(0);
    }
    const read = new Set(model.graph.node.flatMap(({ input }) => input));
    expect(names.filter((name) => !read.has(name))).toEqual([]);
  });

  it('has standard operators of one set, and distinct names', () => {
    expect(model.opsetImport).toEqual([{ domain: '', version: ONNX_OPSET }]);
    expect(model.irVersion).toBe(8);
    expect(new Set(model.graph.node.map(({ domain }) => domain))).toEqual(new Set(['']));
    const names = model.graph.node.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const outputs = model.graph.node.flatMap(({ output }) => output);
    expect(new Set(outputs).size).toBe(outputs.length);
  });

  it('leaves the batch free', () => {
    const shapeOf = ([value]: readonly ValueInfo[]) => [
      value.name,
      ...value.type.tensorType.shape.dim.map(({ dimValue, dimParam }) => dimParam || dimValue),
    ];
    expect(shapeOf(model.graph.input)).toEqual(['pixel_values', 'batch', 3, 6, 4]);
    expect(shapeOf(model.graph.output)).toEqual(['logits', 'batch', 4]);
  });

  it('says how to prepare images and what the classes are', () => {
    const metadata = metadataOf(model);
    expect(model.producerName).toBe('wave');
    expect(metadata.get('producer')).toMatch(/^wave \d/);
    expect(metadata.get('output')).toBe('logits');
    expect(JSON.parse(metadata.get('mean') ?? '')).toEqual([0.1, 0.2, 0.3]);
    expect(JSON.parse(metadata.get('std') ?? '')).toEqual([1, 2, 3]);
    expect(JSON.parse(metadata.get('resize') ?? '')).toEqual([9, 8]);
    expect(metadata.get('resize_mode')).toBe('squash');
    expect(metadata.get('interpolation')).toBe('lanczos');
    expect(JSON.parse(metadata.get('labels') ?? '')).toEqual(spec.labels);
    expect(onnxSpec(metadata)).toEqual(spec);
  });

  it('says what a spec implies about images, and nothing that the spec does not tell', () => {
    const plain = onnxMetadata(small({ preprocess: { mean: [0.5, 0.5, 0.5], std: [1, 1, 1] } }), 'logits', 'wave 1');
    expect([plain.get('resize'), plain.get('resize_mode'), plain.get('interpolation')]).toEqual([
      '[6,6]',
      'shortest',
      'bicubic',
    ]);
    expect([...onnxMetadata(small(), 'logits', 'wave 1').keys()]).toEqual(['producer', 'output', 'wave.spec']);
    expect(onnxSpec(new Map())).toBeUndefined();
    expect(onnxSpec(new Map([['wave.spec', '{']]))).toBeUndefined();
  });

  it('is the same every time', () => {
    expect(Buffer.compare(bytes, onnxModel({ spec, values }, { softmax: false }))).toBe(0);
  });

  it('costs four bytes a parameter and its nodes', () => {
    const large = specOf({ ...TINY, width: 96, heads: 3, depth: 2 });
    const size = onnxModel({ spec: large, values: randomValues(large) }, { softmax: false }).length;
    expect(size).toBeGreaterThan(4 * parameterCount(large));
    expect(size).toBeLessThan(4 * parameterCount(large) + 8192 * large.depth + 4096);
  });

  it('is made without copying weights', () => {
    const parts = onnxModelParts({ spec, values }, { softmax: false });
    for (const [name, { buffer }] of values)
      expect(
        parts.some((part) => part.buffer === buffer),
        name,
      ).toBe(true);
  });

  it('is refused where it would be larger than ONNX files can be', () => {
    const huge = specOf({ ...TINY, width: 768, heads: 12, depth: 80 });
    const memory = new Float32Array(Math.max(...[...parameterShapes(huge).values()].map(elementCount)));
    const shared = new Map(
      [...parameterShapes(huge)].map(([name, shape]) => [name, memory.subarray(0, elementCount(shape))]),
    );
    expect(() => onnxModelParts({ spec: huge, values: shared }, { softmax: false })).toThrow(
      'model: would be an ONNX file of 2.1 GiB, and none can be larger than 2; use --format timm or hf',
    );
  });
});
