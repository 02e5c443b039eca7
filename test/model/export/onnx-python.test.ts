/** Exported ONNX models in Python: onnx's checker, and onnxruntime against timm on the weights that the file holds. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { onnxModel } from '#wave/model/export/onnx.js';
import { parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { temporaryFolder } from '../../checkpoint/helpers.js';
import * as pure from '../../support/pure-weights.js';
import { specOf } from '../support.js';

const python = process.env.WAVE_PYTHON;
const script = fileURLToPath(new URL('../../../scripts/check-onnx-with-python.py', import.meta.url));

const DEIT_TINY = { width: 192, depth: 12, heads: 3, image: 224, patch: 16, channels: 3, classes: 1000 };
const TARGET = { ...DEIT_TINY, depth: 5, width: 96 };
const SMALL = { width: 48, depth: 2, heads: 3, image: 16, patch: 4, channels: 3, classes: 10 };
const preprocess = { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] };

const CASES: [string, ModelSpec, { softmax: boolean }?][] = [
  ['deit-tiny', specOf(DEIT_TINY, { preprocess })],
  ['a target of depth 5 and width 96', specOf(TARGET)],
  ['the same with softmax', specOf(TARGET), { softmax: true }],
  ['a distillation token', specOf(SMALL, { distillation_token: true })],
  ['pooling', specOf(SMALL, { pool: 'avg', final_norm: 'fc_norm', image: [8, 20], channels: 1, eps: 1e-3 })],
  ['pooling after the norm', specOf(SMALL, { pool: 'avg', class_token: false, hidden: 100 })],
  ['registers', specOf(SMALL, { register_tokens: 4, position_prefix: false })],
];

interface Answer {
  readonly differences: Readonly<Record<string, number>>;
}

describe.skipIf(python === undefined)('in Python (set WAVE_PYTHON: needs onnx, onnxruntime, torch, timm)', () => {
  const folder = temporaryFolder();
  const fileOf = (name: string) => join(folder, `${name}.onnx`);
  const answers: Answer[] = [];

  beforeAll(() => {
    for (const [name, spec, options = { softmax: false }] of CASES) {
      writeFileSync(fileOf(name), onnxModel({ spec, values: pure.parameters(parameterShapes(spec)) }, options));
    }
    const output = execFileSync(python as string, [script, ...CASES.map(([name]) => fileOf(name))], {
      encoding: 'utf8',
    });
    answers.push(
      ...output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Answer),
    );
  }, 180_000);

  it.each(CASES.map(([name], i) => [name, i] as const))("%s gives timm's logits for any batch", (name, i) => {
    const [, spec, { softmax } = { softmax: false }] = CASES[i];
    expect(answers[i]).toMatchObject({
      file: fileOf(name),
      opset: { '': 17 },
      input: ['pixel_values', 'tensor(float)', ['batch', spec.channels, ...spec.image]],
      output: [softmax ? 'probabilities' : 'logits', 'tensor(float)', ['batch', spec.classes]],
    });
    expect(Object.keys(answers[i].differences)).toEqual(['1', '5']);
    for (const difference of Object.values(answers[i].differences)) expect(difference).toBeLessThan(1e-5);
  });
});
