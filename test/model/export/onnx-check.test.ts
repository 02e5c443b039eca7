/** The check of written ONNX models: it passes for what the exporter writes, and fails for what differs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { elementCount } from '#wave/base/shape.js';
import type { ExportModel } from '#wave/model/export/format.js';
import { ONNX_OPSET, onnxModel } from '#wave/model/export/onnx.js';
import { checkOnnxFile, MOST_DIFFERENCE } from '#wave/model/export/onnx-check.js';
import { parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { temporaryFolder } from '../../checkpoint/helpers.js';
import * as pure from '../../support/pure-weights.js';
import { specOf, TINY } from '../support.js';

const spec = specOf({ ...TINY, classes: 7 }, { distillation_token: true, register_tokens: 2, image: [6, 4] });
const valuesOf = (model: ModelSpec) => pure.parameters(parameterShapes(model));
const values = valuesOf(spec);

/** What the check says of the file of `written`, when `model` was to be written. */
async function check(
  written: ExportModel,
  options: { readonly model?: ExportModel; readonly softmax?: boolean; readonly writtenSoftmax?: boolean } = {},
) {
  const { model = { spec, values }, softmax = false, writtenSoftmax = softmax } = options;
  const path = join(temporaryFolder(), 'model.onnx');
  await writeFile(path, onnxModel(written, { softmax: writtenSoftmax }));
  return checkOnnxFile(path, model, { softmax, threads: 2 });
}

const changed = (name: string, change: (value: number) => number) =>
  new Map(values).set(name, (values.get(name) as Float32Array).map(change));

describe('a file as it was written', () => {
  it.each([false, true])('agrees with the model (softmax %s)', async (softmax) => {
    const { difference, opset } = await check({ spec, values }, { softmax });
    expect(difference).toBeGreaterThanOrEqual(0);
    expect(difference).toBeLessThan(MOST_DIFFERENCE / 10);
    expect(opset).toBe(ONNX_OPSET);
  });

  it('agrees where all logits are 0', async () => {
    const zeros = new Map(
      [...parameterShapes(spec)].map(([name, shape]) => [name, new Float32Array(elementCount(shape))]),
    );
    const model = { spec, values: zeros };
    for (const softmax of [false, true]) expect((await check(model, { model, softmax })).difference).toBeLessThan(1e-7);
  });

  it('agrees where logits are large', async () => {
    const model = { spec, values: changed('head.weight', (value) => value * 1000) };
    expect((await check(model, { model, softmax: true })).difference).toBeLessThan(MOST_DIFFERENCE / 10);
  });
});

describe('a file that differs is refused', () => {
  it.each([
    ['in one bias', changed('blocks.1.mlp.fc2.bias', (value) => value * 1.5)],
    ['in the positions', changed('pos_embed', (value) => value * 1.01)],
  ])('%s', async (_, other) => {
    const refusal =
      /model\.onnx: its logits differ by \d\.\de-\d of the largest logit from those of the model, more than the 0\.0001 that rounding may explain; /;
    await expect(check({ spec, values: other })).rejects.toThrow(refusal);
  });

  it('in what it says of itself', async () => {
    const said = /model\.onnx: read back, it does not say what was written; check the disk and export again$/;
    await expect(check({ spec: { ...spec, eps: 1e-5 }, values })).rejects.toThrow(said);
    await expect(check({ spec, values }, { writtenSoftmax: true })).rejects.toThrow(said);
  });

  it('when the model gives no finite logits', async () => {
    const model = { spec, values: changed('head.bias', () => Number.NaN) };
    await expect(check(model, { model })).rejects.toThrow(
      /model\.onnx: the model gives logits that are not finite; check its weights$/,
    );
  });
});
