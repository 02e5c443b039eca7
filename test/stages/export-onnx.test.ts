/** The stage that exports, for ONNX: what it tells, what it refuses, and that it leaves nothing that failed its check. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, ModelError } from '#wave/base/errors.js';
import { makeLineage } from '#wave/checkpoint/index.js';
import { openOnnxFile } from '#wave/engine/onnx-file.js';
import { onnxFormat } from '#wave/model/export/onnx-format.js';
import { initialise } from '#wave/model/initialise.js';
import { saveModel } from '#wave/model/save.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { checkExport, exportModel } from '#wave/stages/export.js';
import { specOf, TINY } from '../model/support.js';
import { context } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-export-onnx-'));
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

const spec: ModelSpec = {
  ...specOf(TINY),
  preprocess: { mean: [0.1, 0.2, 0.3], std: [0.5, 0.5, 0.5] },
  labels: ['a', 'b', 'c', 'd'],
};
const ONNX = { format: 'onnx' } as const;
const warningsOf = ({ events }: ReturnType<typeof context>) => events.filter(({ type }) => type === 'warning');

async function saved(name: string, model: ModelSpec, change: (value: number) => number = (value) => value) {
  const values = new Map([...initialise(model, 1)].map(([key, own]) => [key, own.map(change)]));
  await saveModel(at(name), { spec: model, values, lineage });
  return at(name);
}

let model: string;
beforeAll(async () => {
  model = await saved('model.safetensors', spec);
});

describe('an export to ONNX', () => {
  it('writes one file, and tells how well it agrees', async () => {
    const told = context();
    const result = await exportModel(model, ONNX, { dir: at('out'), force: false }, told);
    expect(result).toMatchObject({ files: ['model.onnx'], spec, agreement: { opset: 17 }, warnings: [] });
    expect(result.agreement?.difference).toBeLessThan(1e-5);
    expect(readdirSync(at('out'))).toEqual(['model.onnx']);
    expect(readFileSync(join(at('out'), 'model.onnx')).length).toBe(result.bytes);
    expect(warningsOf(told)).toEqual([]);
  });

  it('gives probabilities where asked', async () => {
    await exportModel(model, { ...ONNX, softmax: true }, { dir: at('softmax'), force: false }, context());
    const file = await openOnnxFile(join(at('softmax'), 'model.onnx'), { threads: 1 });
    expect(file.outputs).toEqual([{ name: 'probabilities', type: 'float32', shape: ['batch', 4] }]);
    await file.close();
  });

  it('warns when the model does not say how images are normalised', async () => {
    const { preprocess: _, ...silent } = spec;
    const told = context();
    const path = await saved('silent.safetensors', silent);
    await exportModel(path, ONNX, { dir: at('silent'), force: false }, told);
    const text = `${path} does not say how its images are normalised: the metadata of model.onnx has no mean and std`;
    expect(warningsOf(told)).toEqual([{ type: 'warning', text }]);
  });

  it('leaves no file that fails its check', async () => {
    const path = await saved('broken.safetensors', spec, () => Number.NaN);
    const out = { dir: at('broken'), force: false };
    await expect(exportModel(path, ONNX, out, context())).rejects.toThrow(ModelError);
    expect(readdirSync(out.dir)).toEqual([]);
  });

  it('refuses a model that no ONNX file can hold before it reads weights', () => {
    const big = specOf({ ...TINY, width: 4096, heads: 32, depth: 40 });
    expect(() => onnxFormat.plan(big, 'big', {})).toThrow(
      'big: would be an ONNX file of 30.0 GiB, and none can be larger than 2; use --format timm or hf',
    );
  });
});

describe('softmax', () => {
  it.each(['timm', 'hf'])('is refused for %s, and nothing is written', async (format) => {
    const out = { dir: at(`no-${format}`), force: false };
    const refused = `--softmax: ${format} holds weights, not what is made of logits; leave it out`;
    await expect(checkExport(model, { format, softmax: true }, out)).rejects.toThrow(new ConfigError(refused));
    await expect(exportModel(model, { format, softmax: true }, out, context())).rejects.toThrow(refused);
    expect(existsSync(out.dir)).toBe(false);
  });
});
