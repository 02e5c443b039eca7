/** ONNX classifiers on the command line: the whole way from one to a bank, and one clear line for each mistake. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DistillResult } from '#wave/stages/distill.js';
import type { EvaluateResult } from '#wave/stages/evaluate.js';
import { onnxFixture, TRAINED } from '../stages/onnx-support.js';
import { onlyDocument, Place, SETTINGS } from './support.js';

const place = new Place();
afterAll(() => place.remove());

/** Those of a training, which serve as they are but for what a distillation has of its own. */
const ONNX = `${SETTINGS.replace(/^model:.*\n/m, '').replace(/^train:.*$/m, 'train: { steps: 2, batch: 32 }')}
onnx: { gives: logits, mean: [0.25], std: [0.3] }
templates: { count: 2 }
auxiliary: { depth: 2, width: 32, heads: 2, patch: 4 }
distill: { sizes: [] }
`;
const INTO = ['distill', '--config', 'onnx.yaml', '--out'];
const DISTILL = [...INTO, 'out'];
const EVAL = ['eval', '--config', 'onnx.yaml'];

beforeAll(() => {
  writeFileSync(place.at('onnx.yaml'), ONNX);
  copyFileSync(TRAINED, place.at('trained.onnx'));
  for (const name of ['cut-off', 'newer-opset', 'unknown-operator', 'no-external', 'two-inputs']) {
    copyFileSync(onnxFixture('bad', `${name}.onnx`), place.at(`${name}.onnx`));
  }
  for (const path of [onnxFixture('dynamic.onnx'), onnxFixture('fixed-softmax.onnx')]) {
    copyFileSync(path, place.at(basename(path)));
  }
  copyFileSync(onnxFixture('answers.safetensors'), place.at('renamed.onnx'));
  copyFileSync(TRAINED, place.at('renamed.safetensors'));
  mkdirSync(place.at('exported'));
  copyFileSync(TRAINED, place.at('exported', 'model.onnx'));
});

describe('a classifier', () => {
  it('is measured, and can be made to fail a script', async () => {
    const result = await place.result<EvaluateResult>([...EVAL, 'trained.onnx', '--min-accuracy', '0.9']);
    expect(result).toMatchObject({ images: 130 });
    expect(result.top1).toBeGreaterThan(0.9);
    expect(await place.result<EvaluateResult>([...EVAL, 'exported'])).toMatchObject({ top1: result.top1 });
    const { code, stdout, stderr } = await place.wave([...EVAL, 'dynamic.onnx', '--min-accuracy', '0.9', '--quiet']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/top-1/);
    expect(stderr).toMatch(/^wave: error: dynamic\.onnx: top-1 accuracy must be at least 0\.9; found 0\.\d+\n$/);
  });

  it('is condensed into a bank that other commands take', async () => {
    const result = await place.result<DistillResult>([...INTO, 'bank', '--ancestor', 'trained.onnx']);
    expect(result).toMatchObject({ ancestorParameters: 1460, auxiliary: { depth: 2, width: 32, heads: 2 } });
    const size = ['--depth', '3', '--width', '16'];
    await place.result(['init', '--templates', 'bank', ...size, '--out', 'target.safetensors']);
    const fit = [
      'fit',
      '--config',
      'fit.yaml',
      '--templates',
      'bank',
      '--scalers',
      'target.safetensors',
      '--out',
      'fit',
    ];
    const own = /^(templates|auxiliary|distill):.*\n/gm;
    writeFileSync(place.at('fit.yaml'), ONNX.replace(own, ''));
    const fitted = await place.result<{ ancestorTrainTop1: number }>([...fit, '--ancestor', 'exported']);
    expect(fitted.ancestorTrainTop1).toBeGreaterThan(0.9);
  });

  it('is counted in the table', async () => {
    const { code, stdout } = await place.wave([...INTO, 'table', '--ancestor', 'exported', '--quiet']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ancestor +\d+\.\d % on training images, 1460 parameters$/m);
    expect(stdout).toMatch(/^bank +\d+ parameters, \d+\.\d % of the ancestor$/m);
  });
});

describe.each<[string, string[], number, RegExp]>([
  ['a file that is not there', [...DISTILL, '--ancestor', 'no.onnx'], 1, /no\.onnx: cannot be read: no such file/],
  [
    'a file that is cut off',
    [...DISTILL, '--ancestor', 'cut-off.onnx'],
    1,
    /cut-off\.onnx: is no ONNX model, or a damaged/,
  ],
  ['safetensors under the name', [...EVAL, 'renamed.onnx'], 1, /is a safetensors file, not ONNX; rename it/],
  ['another name', [...EVAL, 'renamed.safetensors'], 1, /is an ONNX model, not safetensors; .*ends in \.onnx/],
  [
    'a folder with one to compare',
    ['diff', 'exported', 'exported'],
    1,
    /exported: the folder holds neither .*only model\.onnx, an ONNX model, whose weights cannot be taken over; .*by eval/,
  ],
  ['a folder with one to convert', ['convert', 'exported', '--out', 'o'], 1, /exported: .* or be measured by eval/],
  ['a later operator set', [...EVAL, 'newer-opset.onnx'], 1, /needs operator set 999, the latest that runs is \d+/],
  ['an unknown operator', [...EVAL, 'unknown-operator.onnx'], 1, /cannot be run by onnxruntime: .*Convolve/],
  [
    'weights that are missing',
    [...DISTILL, '--ancestor', 'no-external.onnx'],
    1,
    /"gone\.bin", which is not beside it/,
  ],
  ['a second input', [...EVAL, 'two-inputs.onnx'], 2, /needs "images" .*, "size" \[1\]; only a model/],
  [
    'no word of the output',
    [...EVAL, 'trained.onnx', '--set', 'onnx.gives=null'],
    2,
    /onnx\.gives: .*set logits, or probabilities/,
  ],
  [
    'logits for probabilities',
    [...EVAL, 'fixed-softmax.onnx'],
    2,
    /onnx\.gives: logits, but all rows of output "probabilities"/,
  ],
  [
    'an unknown kind of output',
    [...EVAL, 'trained.onnx', '--set', 'onnx.gives=scores'],
    2,
    /onnx\.gives: expected one of logits, probabilities or null, found "scores"/,
  ],
  [
    'an unknown key',
    [...EVAL, 'trained.onnx', '--set', 'onnx.give=logits'],
    2,
    /onnx\.give: unknown key, did you mean `gives`\?/,
  ],
  [
    'other classes',
    [...EVAL, 'trained.onnx', '--set', 'data.synthetic.classes=5'],
    2,
    /the model has classes 4, the data 5/,
  ],
  ['heads', [...EVAL, 'trained.onnx', '--heads', '2'], 2, /--heads is for a ViT checkpoint, not an ONNX model/],
  [
    'heads of the ancestor',
    [...DISTILL, '--ancestor', 'trained.onnx', '--ancestor-heads', '2'],
    2,
    /--ancestor-heads is for a ViT checkpoint/,
  ],
  [
    'an ancestor that guesses',
    [...DISTILL, '--ancestor', 'dynamic.onnx'],
    2,
    /no better than chance .*; check onnx\.mean/,
  ],
  [
    'a start of its weights',
    [...DISTILL, '--ancestor', 'trained.onnx', '--set', 'start=closed-form'],
    2,
    /start: closed-form is made of the ancestor's weights/,
  ],
  [
    'the same, only checked',
    [...DISTILL, '--dry-run', '--ancestor', 'trained.onnx', '--set', 'start=closed-form'],
    2,
    /start: closed-form is made of the ancestor's weights/,
  ],
  [
    'no sizes',
    [...DISTILL, '--ancestor', 'trained.onnx', '--set', 'auxiliary.depth=null', '--set', 'auxiliary.patch=null'],
    2,
    /auxiliary\.depth, auxiliary\.patch: are missing; an ONNX ancestor has no sizes/,
  ],
  [
    'init by weights',
    [
      'init',
      '--method',
      'weight-selection',
      '--ancestor',
      'trained.onnx',
      '--depth',
      '1',
      '--width',
      '16',
      '--out',
      'o',
    ],
    1,
    /trained\.onnx: is an ONNX model, not safetensors; its weights cannot be taken over/,
  ],
  ['a prediction', ['predict', 'trained.onnx', 'trained.onnx'], 1, /is an ONNX model, not safetensors/],
  ['an inspection', ['inspect', 'trained.onnx'], 1, /is an ONNX model, not safetensors/],
])('%s', (_name, words, code, message) => {
  it(`gives exit code ${code}, one line and one document, and writes nothing`, async () => {
    const before = place.names('.');
    const ended = await place.wave([
      ...words,
      '--json',
      ...(['inspect', 'init', 'diff', 'convert'].includes(words[0] as string) ? [] : ['--progress', 'none']),
    ]);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
    const lines = ended.stderr.split('\n').slice(0, -1);
    expect(lines.filter((line) => !/^wave: (?!error)/.test(line))).toEqual([expect.stringMatching(/^wave: error: /)]);
    const document = onlyDocument(ended.stdout) as object;
    expect(document).toMatchObject({ ok: false, error: { exitCode: code, message: expect.stringMatching(message) } });
    expect(place.names('.')).toEqual(before);
  });
});
