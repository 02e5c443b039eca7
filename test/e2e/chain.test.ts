/** Train, fine-tune, evaluate, look, predict: the whole of it from the command line, and the same bytes every time. */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FinetuneResult, PredictResult, PretrainResult } from '#wave/index.js';
import { Place } from './support.js';

const place = new Place();
afterAll(() => place.remove());

let trained: PretrainResult;
let stderr: string;
beforeAll(async () => {
  const ended = await place.pretrain('run', '--json');
  stderr = ended.stderr;
  trained = JSON.parse(ended.stdout).result;
});

describe('wave pretrain', () => {
  it('learns: accuracy on new images is far above the chance of 25 %', () => {
    expect(trained.top1).toBeGreaterThan(0.6);
    expect(trained).toMatchObject({ steps: 128, epochs: 8, parameters: 26_724, engine: 'ort', device: 'cpu', top5: 1 });
  });

  it('leaves the files of a run and nothing else', () => {
    const names = ['config.resolved.yaml', 'metrics.jsonl', 'model.safetensors', 'state.safetensors'];
    expect(place.names('run')).toEqual(names);
  });

  it('writes nothing into the home of the user', async () => {
    mkdirSync(place.at('home'));
    const env = { HOME: place.at('home'), XDG_CACHE_HOME: place.at('home', 'cache') };
    const ended = await place.wave(['eval', 'run', '--config', 'pico.yaml', '--quiet'], { env });
    expect(ended.code).toBe(0);
    expect(place.names('home')).toEqual([]);
  });

  it('tells its progress in a few plain lines, one for each evaluation', () => {
    const lines = stderr.trimEnd().split('\n');
    expect(lines.every((line) => line.startsWith('wave: '))).toBe(true);
    expect(lines.filter((line) => /^wave: epoch \d: top-1/.test(line))).toHaveLength(8);
    expect(lines.filter((line) => line.includes('evaluated'))).toEqual([]);
    expect(lines.length).toBeLessThan(40);
  });

  it('prints a table of the result', async () => {
    const { code, stdout } = await place.pretrain('table', '--set', 'train.epochs=1');
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.split(' ', 1)[0])).toEqual([
      'model',
      'top-1',
      'top-5',
      'loss',
      'parameters',
      'trained',
      'time',
      'engine',
      '',
    ]);
  });

  it('runs again from the settings that it wrote', async () => {
    const words = ['pretrain', '--config', 'run/config.resolved.yaml', '--out', 'again'];
    const again = await place.result<PretrainResult>(words);
    expect(again.loss).toBe(trained.loss);
    expect(await place.tensors('again/model.safetensors')).toEqual(await place.tensors('run/model.safetensors'));
  });
});

describe('wave eval', () => {
  it('measures what the training measured, with the settings of the training', async () => {
    const measured = await place.result(['eval', 'run', '--config', 'pico.yaml']);
    expect(measured).toMatchObject({ top1: trained.top1, top5: 1, images: 130 });
  });

  it('passes and fails a limit with exit codes 0 and 3, and prints the result all the same', async () => {
    const words = ['eval', 'run/model.safetensors', '--config', 'pico.yaml', '--json', '--quiet', '--min-accuracy'];
    expect((await place.wave([...words, '0.5'])).code).toBe(0);
    const missed = await place.wave([...words, '1']);
    expect(missed.code).toBe(3);
    expect(missed.stderr).toMatch(
      /^wave: error: run\/model\.safetensors: top-1 accuracy must be at least 1; found [^\n]+\n$/,
    );
    expect(JSON.parse(missed.stdout)).toMatchObject({
      ok: false,
      error: { type: 'CheckError', exitCode: 3 },
      result: { top1: trained.top1 },
    });
  });
});

describe('wave finetune', () => {
  beforeAll(() => {
    writeFileSync(
      place.at('other.yaml'),
      `
data: { source: synthetic, synthetic: { image: 16, classes: 6, train: 192, test: 100, seed: 9 } }
train: { steps: 12, batch: 32, lr: 2.0e-3, layer_decay: 0.8, freeze: [pos_embed], ema: { decay: 0.8 } }
eval: { batch: 50 }
engine: { threads: 1 }
`,
    );
  });
  const words = ['finetune', '--model', 'run', '--config', 'other.yaml', '--out', 'tuned'];

  it('trains the model on other classes, and an evaluation takes its settings', async () => {
    const tuned = await place.result<FinetuneResult>(words);
    expect(tuned).toMatchObject({ steps: 12, head: 'new', trainable: tuned.parameters - 17 * 32 });
    const measured = await place.result(['eval', 'tuned', '--config', 'tuned/config.resolved.yaml']);
    expect(measured).toMatchObject({ top1: tuned.top1, images: 100 });
    const [before, after] = [
      await place.tensors('run/model.safetensors'),
      await place.tensors('tuned/model.safetensors'),
    ];
    expect(after.get('pos_embed')).toEqual(before.get('pos_embed'));
    expect(after.get('cls_token')).not.toEqual(before.get('cls_token'));
  });

  it('refuses in one line what the model does not have', async () => {
    const ended = await place.wave([...words, '--force', '--set', 'train.freeze=[blocks.2]', '--quiet']);
    const rule = 'train.freeze: "blocks.2" names a block that the model does not have; its blocks are 0 to 1';
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: `wave: error: ${rule}\n` });
    expect(place.names('tuned')).toContain('model.safetensors');
  });
});

describe('wave inspect', () => {
  it('shows spec, lineage and the parts of the model', async () => {
    const listing = await place.result(['inspect', 'run']);
    expect(listing).toMatchObject({
      kind: 'model',
      spec: { width: 32, depth: 2, heads: 2, classes: 4, image: [16, 16], patch: 4 },
      lineage: { seed: 7, command: 'wave pretrain --config pico.yaml --out run --json', date: '2023-11-14T22:13:20Z' },
      parameters: { total: 26_724, blocks: 2 * 12_704, embeddings: 32 + 17 * 32 + 17 * 32, head: 132, other: 64 },
      warnings: [],
    });
  });

  it('shows the steps and the parameters of a saved state', async () => {
    const listing = await place.result(['inspect', 'run/state.safetensors']);
    expect(listing).toMatchObject({ kind: 'state', spec: { step: 128 }, parameters: { total: 26_724 } });
  });
});

describe('wave predict', () => {
  it('classifies image files, and writes their logits', async () => {
    await sharp({ create: { width: 40, height: 20, channels: 3, background: '#804020' } })
      .png()
      .toFile(place.at('a.png'));
    const words = ['predict', 'run', 'a.png', 'a.png', '--top', '2', '--logits', 'logits.safetensors'];
    const { classes, predictions } = await place.result<PredictResult>(words);
    expect(classes).toBe(4);
    expect(predictions.map(({ input, top }) => [input, top.length])).toEqual([
      ['a.png', 2],
      ['a.png', 2],
    ]);
    const logits = (await place.tensors('logits.safetensors')).get('logits') as Buffer;
    expect(logits.byteLength).toBe(2 * 4 * 4);
    expect(logits.subarray(0, 16)).toEqual(logits.subarray(16));
  });
});

describe('the same settings and seed', () => {
  it('give the same file, byte for byte, in another folder', async () => {
    const other = new Place();
    try {
      expect((await other.pretrain('run', '--json')).code).toBe(0);
      for (const name of ['model.safetensors', 'state.safetensors', 'config.resolved.yaml']) {
        expect(other.bytes('run', name).equals(place.bytes('run', name)), name).toBe(true);
      }
    } finally {
      other.remove();
    }
  });

  it.each([0, 2])('give the same weights with %i loader threads', async (workers) => {
    expect((await place.pretrain('threads', '--force', '--set', `data.workers=${workers}`)).code).toBe(0);
    expect(await place.tensors('threads/model.safetensors')).toEqual(await place.tensors('run/model.safetensors'));
  });

  it('give other weights with another seed', async () => {
    expect((await place.pretrain('seed', '--seed', '8')).code).toBe(0);
    expect(await place.tensors('seed/model.safetensors')).not.toEqual(await place.tensors('run/model.safetensors'));
  });
});

describe('the library', () => {
  it('does it all without the command line: examples/pretrain.mjs', async () => {
    const example = fileURLToPath(new URL('../../examples/pretrain.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [example, place.at('example')]);
    expect(stdout).toMatch(/\nepoch 7: [\d.]+ % right\n/);
    expect(Number(/top-1 on 130 test images: ([\d.]+) %/.exec(stdout)?.[1])).toBeGreaterThan(50);
    expect(stdout.match(/^image \d: class \d, truly \d$/gm)).toHaveLength(3);
    rmSync(place.at('example'), { recursive: true });
  });
});
