/** Models in ONNX files that others have made: what is told of them, what they give, and what is wrong with them. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { EngineError } from '#wave/base/errors.js';
import { CheckpointError } from '#wave/checkpoint/index.js';
import { onnxFiles, openOnnxFile } from '#wave/engine/onnx-file.js';
import { ModelProto } from '#wave/engine/ort/onnx-schema.js';

// Made by scripts/fixtures/make-onnx-fixtures.py with the Python package onnx.
const fixtures = fileURLToPath(new URL('../stages/fixtures/onnx/', import.meta.url));
const at = (...names: string[]) => join(fixtures, ...names);
const root = mkdtempSync(join(tmpdir(), 'wave-onnx-'));
afterAll(() => rmSync(root, { recursive: true }));

const open = (source: string | Uint8Array) => openOnnxFile(source, { threads: 1 });
const zeros = (...shape: number[]) => ({ shape, values: new Float32Array(shape.reduce((a, b) => a * b)) });

describe('an ONNX file', () => {
  it('tells inputs and outputs, with the names of sizes that are free', async () => {
    const file = await open(at('two-outputs.onnx'));
    await file.close();
    expect(file.inputs).toEqual([{ name: 'images', type: 'float32', shape: ['batch', 3, 7, 9] }]);
    expect(file.outputs).toEqual([
      { name: 'features', type: 'float32', shape: ['batch', 4] },
      { name: 'logits', type: 'float32', shape: ['batch', 4] },
    ]);
  });

  it('tells operator set, metadata and how many numbers it stores', async () => {
    const model = ModelProto.decode(readFileSync(at('dynamic.onnx')));
    Object.assign(model, { metadataProps: [{ key: 'mean', value: '[0.5]' }] });
    const file = await open(ModelProto.encode(model).finish());
    await file.close();
    // One convolution of 3 x 3 x 3 x 4 and a head of 4 x 4, with biases.
    expect([file.opset, [...file.metadata], file.parameters]).toEqual([18, [['mean', '[0.5]']], 112 + 20]);
  });

  it.each(['path', 'bytes'])('runs, opened by its %s, and leaves what it is given usable', async (how) => {
    const file = await open(how === 'path' ? at('dynamic.onnx') : new Uint8Array(readFileSync(at('dynamic.onnx'))));
    const images = zeros(2, 3, 16, 16);
    const outputs = await file.run(new Map([['images', images]]));
    await file.close();
    expect([...outputs.keys()]).toEqual(['logits']);
    expect(outputs.get('logits')?.shape).toEqual([2, 4]);
    expect(images.values.length).toBe(2 * 3 * 16 * 16);
  });

  it('gives all outputs, or those that are asked for', async () => {
    const file = await open(at('two-outputs.onnx'));
    const images = new Map([['images', zeros(1, 3, 7, 9)]]);
    const [all, one] = [await file.run(images), await file.run(images, ['logits'])];
    await file.close();
    expect([[...all.keys()], [...one.keys()]]).toEqual([['features', 'logits'], ['logits']]);
  });

  it.each(['half', 'bytes', 'external'])('is fed and read as float32 whatever its types: %s', async (name) => {
    const file = await open(at(`${name}.onnx`));
    const shape = (file.inputs[0]?.shape ?? []).map((size) => (typeof size === 'number' ? size : 1));
    const outputs = await file.run(new Map([['images', zeros(...shape)]]));
    await file.close();
    const [output] = [...outputs.values()];
    expect(output?.values).toBeInstanceOf(Float32Array);
    expect(output?.values.every(Number.isFinite)).toBe(true);
  });

  it('names the files that it is in', async () => {
    expect(await onnxFiles(at('external.onnx'))).toEqual([at('external.onnx'), at('external.bin')]);
    expect(await onnxFiles(at('dynamic.onnx'))).toEqual([at('dynamic.onnx')]);
  });

  it('says in one line what it cannot be run on, and runs on', async () => {
    const file = await open(at('dynamic.onnx'));
    const wrong = file.run(new Map([['images', zeros(1, 1, 16, 16)]]));
    await expect(wrong).rejects.toThrow(EngineError);
    await expect(wrong).rejects.toThrow(/^engine ort: Got invalid dimensions for input: images[^\n]*$/);
    await expect(file.run(new Map())).rejects.toThrow(EngineError);
    expect((await file.run(new Map([['images', zeros(1, 3, 16, 16)]]))).size).toBe(1);
    await file.close();
  });

  it('that was closed refuses to run, and may be closed again', async () => {
    const file = await open(at('dynamic.onnx'));
    const waiting = file.run(new Map([['images', zeros(1, 3, 16, 16)]]));
    const closed = file.close();
    await expect(waiting).resolves.toBeDefined();
    await closed;
    await file.close();
    await expect(file.run(new Map())).rejects.toThrow(/disposed of/);
  });

  it('lets the process exit in the middle of a run', async () => {
    const child = fileURLToPath(new URL('./fixtures/ending-onnx.mjs', import.meta.url));
    const ended = promisify(execFile)(process.execPath, [child, at('trained.onnx')]);
    await expect(ended).rejects.toMatchObject({ code: 3, signal: null, stderr: '' });
  });
});

describe('what cannot be opened is told in one line', () => {
  const refused = async (source: string | Uint8Array, code: string, message: RegExp) => {
    const opening = open(source);
    await expect(opening).rejects.toThrow(CheckpointError);
    await expect(opening).rejects.toMatchObject({ code });
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(/^[^\n]+$/);
  };
  const bad = (name: string) => at('bad', `${name}.onnx`);
  const written = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(root, name), content);
    return join(root, name);
  };

  it.each([
    ['a file that is not there', bad('nothing'), 'FileNotFound', /nothing\.onnx: cannot be read: no such file/],
    ['a folder', fixtures, 'IoError', /is a folder; name a file/],
    ['a file that is cut off', bad('cut-off'), 'InvalidOnnx', /cut-off\.onnx: is no ONNX model, or a damaged one/],
    [
      'a later operator set',
      bad('newer-opset'),
      'UnsupportedOnnx',
      /needs operator set 999, the latest that runs is \d+/,
    ],
    ['an unknown operator', bad('unknown-operator'), 'UnsupportedOnnx', /cannot be run by onnxruntime: .*Convolve/],
    ['missing weights', bad('no-external'), 'ExternalDataMissing', /"gone\.bin", which is not beside it/],
  ])('%s', (_name, path, code, message) => refused(path, code, message));

  it.each([
    ['an empty file', '', 'InvalidOnnx', /is empty; fetch or export it again/],
    ['noise', Uint8Array.from({ length: 500 }, (_, i) => (i * 37) % 251), 'InvalidOnnx', /is no ONNX model/],
    ['a web page', '<!DOCTYPE html><html></html>', 'HtmlPage', /is an HTML page, not a model; .*fetch the file itself/],
    ['a pointer', 'version https://git-lfs.github.com/spec/v1\noid', 'GitLfsPointer', /Git LFS pointer.*git lfs pull/],
    [
      'a pickle',
      Uint8Array.of(0x80, 2, 0x7d, 0x71),
      'PickleFile',
      /is a Python pickle.*, not ONNX; .*torch\.onnx\.export/,
    ],
    ['a zip archive', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0), 'PickleFile', /is a zip archive.*, not ONNX;/],
    ['JSON', '{"a": 1}', 'OtherFormat', /is a JSON text, not ONNX/],
  ])('%s', (_name, content, code, message) => refused(written('file.onnx', content), code, message));

  it('a safetensors file', () =>
    refused(
      at('answers.safetensors'),
      'OtherFormat',
      /is a safetensors file, not ONNX; rename it to end in \.safetensors/,
    ));

  it('weights that are cut off', async () => {
    for (const name of ['external.onnx', 'external.bin']) copyFileSync(at(name), join(root, name));
    truncateSync(join(root, 'external.bin'), 100);
    await refused(join(root, 'external.onnx'), 'InvalidOnnx', /the file with its weights is too short/);
  });

  it.each(['../external.bin', '/etc/passwd', 'a/../../x', 'C:\\x', '..\\x'])(
    'weights that are said to be in %s',
    async (place) => {
      const model = ModelProto.decode(readFileSync(at('external.onnx'))) as unknown as {
        graph: { initializer: { externalData: { key: string; value: string }[] }[] };
      };
      const data = model.graph.initializer.flatMap(({ externalData }) => externalData);
      for (const entry of data) if (entry.key === 'location') entry.value = place;
      await refused(
        written('outside.onnx', ModelProto.encode(model as object).finish()),
        'InvalidOnnx',
        /outside\.onnx: its weights are said to be in ".*", outside the folder of the model, where nothing is read;/,
      );
    },
  );

  it('bytes whose weights are elsewhere', () =>
    refused(readFileSync(at('external.onnx')), 'ExternalDataMissing', /"external\.bin"; give it by its path/));
});

it('an ONNX model in place of safetensors is told as what it is', async () => {
  const { openSafetensors } = await import('#wave/checkpoint/index.js');
  await expect(openSafetensors(at('dynamic.onnx'))).rejects.toThrow(
    /dynamic\.onnx: is an ONNX model, not safetensors; its weights cannot be taken over: get the safetensors version/,
  );
});
