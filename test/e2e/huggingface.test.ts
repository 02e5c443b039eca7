/**
 * A DeiT that transformers has saved goes through the whole method, and what comes of it goes back to transformers. The
 * ancestor was trained in PyTorch on the pixels of this data (scripts/fixtures/make-deit-ancestor.py).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors, writeSafetensors } from '#wave/checkpoint/index.js';
import type { CheckpointDiff, DistillResult, EvaluateResult, FinetuneResult, FitResult } from '#wave/index.js';
import { Place } from './support.js';

const place = new Place();
afterAll(() => place.remove());

const ancestor = fileURLToPath(new URL('./fixtures/deit-ancestor', import.meta.url));
const SETTINGS = `
seed: 7
data:
  source: synthetic
  synthetic: { image: 16, channels: 3, classes: 4, train: 512, test: 130, seed: 0 }
  mean: [0.485, 0.456, 0.406]
  std: [0.229, 0.224, 0.225]
eval: { batch: 50 }
engine: { threads: 1 }
`;
const DISTILL = `${SETTINGS}
templates: { count: 4 }
distill: { sizes: [{ depth: 3, width: 16 }] }
train: { epochs: 8, batch: 32, lr: 4.0e-3 }
`;
const FIT = `${SETTINGS}
train: { steps: 30, batch: 32 }
`;
const SIZE = ['--depth', '4', '--width', '48'];
const LABELS = ['disc', 'square', 'ring', 'other disc'];
/** What guesses is right on 25 %. */
const evaluate = (...words: string[]) => place.result<EvaluateResult>(['eval', ...words, '--config', 'fit.yaml']);

let bank: DistillResult;
let fitted: FitResult;
beforeAll(async () => {
  writeFileSync(place.at('distill.yaml'), DISTILL);
  writeFileSync(place.at('fit.yaml'), FIT);
  bank = await place.result<DistillResult>([
    ...['distill', '--ancestor', ancestor, '--config', 'distill.yaml', '--out', 'bank'],
  ]);
  await place.result(['init', '--templates', 'bank', ...SIZE, '--out', 'target.safetensors']);
  const parts = ['--templates', 'bank', '--scalers', 'target.safetensors', '--ancestor', ancestor];
  fitted = await place.result<FitResult>(['fit', ...parts, '--config', 'fit.yaml', '--out', 'fitted']);
  await place.result(['export', 'fitted', '--format', 'hf', '--out', 'exported']);
});

describe('an ancestor of Hugging Face', () => {
  it('is as good as it was in PyTorch', async () => {
    expect((await evaluate(ancestor)).top1).toBe(1);
  });

  it('is distilled into a bank that is far better than chance, and so are models of other sizes made of it', async () => {
    expect(bank).toMatchObject({ ancestorTrainTop1: 1, ancestorParameters: 27_944 });
    expect(bank.templateShare).toBeLessThan(0.5);
    expect(bank.top1).toBeGreaterThan(0.85);
    expect(fitted.startTop1).toBeGreaterThan(0.8);
    expect(fitted.top1).toBeGreaterThan(0.85);
    await place.result(['init', '--method', 'deit', '--ancestor', ancestor, ...SIZE, '--out', 'random.safetensors']);
    expect((await evaluate('random.safetensors')).top1).toBeLessThan(0.5);
  });

  it('hands its epsilon, its labels and its distillation token on to the model', async () => {
    const { spec } = await place.result<{ spec: object }>(['inspect', 'fitted']);
    expect(spec).toMatchObject({ eps: 1e-12, labels: LABELS, distillation_token: true, depth: 4, width: 48, heads: 3 });
  });

  it('is fine-tuned on images of another size, its positions resized', async () => {
    const words = ['finetune', '--model', ancestor, '--config', 'fit.yaml', '--set', 'data.synthetic.image=24'];
    const { code, stdout, stderr } = await place.wave([...words, '--out', 'tuned', '--json']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^wave: positions resized from 4x4 to 6x6 patches$/m);
    expect((JSON.parse(stdout) as { result: FinetuneResult }).result.top1).toBeGreaterThan(0.85);
  });
});

describe('the exported model', () => {
  it('has the very weights of the fitted one, which wave diff checks', async () => {
    const words = ['diff', 'fitted', 'exported', '--tolerance', '0'];
    const found = await place.result<CheckpointDiff>(words);
    expect(found).toMatchObject({ names: 'timm', sameValues: true, b: { kind: null, library: 'huggingface' } });
    const other = await place.wave(['diff', 'fitted', ancestor, '--tolerance', '0']);
    expect(other.code).toBe(3);
    expect(other.stderr).toMatch(
      /^wave: error: fitted and .*: must agree within 0; found \d+ tensors only in A, [^\n]+\n$/,
    );
  });

  it('names the classes and is as good as the fitted one', async () => {
    const { id2label } = JSON.parse(readFileSync(place.at('exported', 'config.json'), 'utf8'));
    expect(Object.values(id2label)).toEqual(LABELS);
    expect(await evaluate('exported')).toMatchObject({ top1: fitted.top1, images: 130 });
  });

  const logits = async (model: string) => {
    const out = 'logits.safetensors';
    await place.result(['predict', model, 'input.safetensors', '--logits', out, '--force']);
    const file = await openSafetensors(place.at(out));
    const values = [...(await file.readFloat32('logits'))];
    await file.close();
    return values;
  };
  beforeAll(async () => {
    // Any values do: what is compared is arithmetic.
    const data = Float32Array.from({ length: 5 * 3 * 16 * 16 }, (_, i) => Math.sin(i * i));
    await writeSafetensors(place.at('input.safetensors'), [['input', { dtype: 'F32', shape: [5, 3, 16, 16], data }]]);
  });

  it('gives the logits of the fitted one', async () => {
    const own = await logits('fitted');
    expect(Math.max(...own) - Math.min(...own)).toBeGreaterThan(1);
    expect(await logits('exported')).toEqual(own);
  });

  const { WAVE_PYTHON: python = '' } = process.env;
  // Importing them would take seconds.
  const lookUp =
    'import sys; from importlib.util import find_spec as f; sys.exit(not (f("torch") and f("transformers")))';
  const hasPackages = python !== '' && spawnSync(python, ['-c', lookUp], { stdio: 'ignore' }).status === 0;
  const script = fileURLToPath(new URL('../../scripts/logits-with-transformers.py', import.meta.url));

  it.skipIf(!hasPackages)(
    'gives the same logits in transformers, as does the ancestor (needs torch and transformers; set WAVE_PYTHON)',
    async () => {
      for (const model of ['exported', ancestor]) {
        const own = await logits(model);
        const env = { ...process.env, HF_HUB_OFFLINE: '1' };
        const args = [script, model, 'input.safetensors'];
        const answer = execFileSync(python, args, { cwd: place.dir, env, encoding: 'utf8', stdio: 'pipe' });
        const theirs = (JSON.parse(answer) as number[][]).flat();
        expect(theirs).toHaveLength(own.length);
        expect(Math.max(...own.map((value, i) => Math.abs(value - theirs[i])))).toBeLessThan(1e-4);
      }
    },
    120_000,
  );
});
