/** `wave export` from the command line: what it prints, as text and as JSON, and its mistakes in one line. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SMALL, saved } from '../stages/export-support.js';
import { wave } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-export-cli-'));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;
let model: string;
let untold: string;

beforeAll(async () => {
  model = await saved(join(root, 'model'), SMALL);
  const { preprocess: _, ...spec } = { ...SMALL, eps: 1e-5 };
  untold = await saved(join(root, 'untold'), spec);
});

const call = async (...words: string[]) => {
  const dir = join(root, `out-${++count}`);
  return { dir, ...(await wave(['export', ...words, '--out', dir])) };
};

describe('wave export', () => {
  it('says what it wrote', async () => {
    const { dir, code, stdout, stderr } = await call(model, '--format', 'hf', '--quiet');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').map((line) => line.trim().split(/\s{2,}/))).toEqual([
      ['folder', dir],
      ['format', 'hf'],
      ['files', 'model.safetensors, preprocessor_config.json, config.json'],
      ['size', 'depth 2, width 24, 3 heads'],
      ['parameters', expect.stringMatching(/^\d+$/)],
      ['bytes', expect.stringMatching(/^\d+, opened again and compared$/)],
      [''],
    ]);
  });

  it('prints one document with --json', async () => {
    const { dir, stdout } = await call(model, '--format', 'timm', '--json');
    expect(JSON.parse(stdout)).toEqual({
      ok: true,
      result: {
        format: 'timm',
        dir,
        files: ['model.safetensors', 'config.json'],
        replaces: [],
        spec: expect.objectContaining({ depth: 2, eps: 1e-6 }),
        parameters: expect.any(Number),
        warnings: [],
        bytes: expect.any(Number),
        seconds: expect.any(Number),
      },
    });
  });

  it('warns of what the format cannot hold, and how much that is', async () => {
    const { code, stderr } = await call(untold, '--format', 'timm');
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /warning: layer norms of timm always have epsilon 0.000001, those of the model 0.00001: .* up to \d/,
    );
    expect(stderr).toMatch(/warning: .* does not say how its images are normalised: .*give --mean and --std/);
  });

  it('takes what is said about images', async () => {
    const said = ['--mean', '0.5', '--std', '0.25', '--crop-pct', '0.5', '--resize-mode', 'squash'];
    const { dir, code, stderr } = await call(untold, '--format', 'hf', '--quiet', ...said);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(readFileSync(join(dir, 'preprocessor_config.json'), 'utf8'))).toMatchObject({
      image_processor_type: 'DeiTImageProcessor',
      image_mean: [0.5, 0.5, 0.5],
      size: { height: 32, width: 48 },
    });
  });

  it('writes nothing with --dry-run', async () => {
    const { dir, code, stdout } = await call(model, '--format', 'hf', '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toContain('model.safetensors, preprocessor_config.json, config.json');
    expect(stdout).not.toContain('bytes');
    expect(existsSync(dir)).toBe(false);
    const again = await call(untold, '--format', 'timm', '--dry-run', '--json');
    expect(JSON.parse(again.stdout).result).toMatchObject({ dryRun: true, warnings: [expect.any(String)] });
    expect(again.stderr).toContain('warning: ');
  });

  it.each([
    ['an unknown format', () => [model, '--format', 'keras'], 2, /--format must be one of timm, hf/],
    ['no format', () => [model], 2, /--format/],
    ['no model', () => ['--format', 'timm'], 2, /give MODEL, or --templates FILE and --scalers FILE/],
    ['a model that is not there', () => ['none', '--format', 'timm'], 1, /none: /],
    [
      'images that nobody describes',
      () => [untold, '--format', 'hf'],
      1,
      /does not say how its images .*give --mean and --std/,
    ],
    ['a mean for too many channels', () => [model, '--format', 'hf', '--mean', '1,2'], 2, /--mean: 2 values/],
    ['probabilities of timm', () => [model, '--format', 'timm', '--softmax'], 2, /--softmax: timm holds weights/],
  ])('refuses %s in one line', async (_, words, exit, message) => {
    const { dir, code, stdout, stderr } = await call(...words());
    expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync(dir)).toBe(false);
  });

  it('refuses the folder of the model in one line', async () => {
    const { code, stderr } = await wave(['export', model, '--format', 'timm', '--out', join(root, 'model'), '--force']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^wave: error: .*is the folder that .* is read from; choose another folder\n$/);
  });
});
