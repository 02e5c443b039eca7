/** `wave convert` and the flags that say how images are prepared: what is printed, and what is refused. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { loadModel } from '#wave/model/load.js';
import { interop, temporary } from '../model/formats/support.js';
import { onlyDocument, wave } from './support.js';

const root = temporary('cli-convert');
afterAll(() => rmSync(root, { recursive: true }));
let out: string;
let count = 0;
beforeEach(() => {
  out = join(root, `out-${count++}.safetensors`);
});
const convert = (name: string, ...words: string[]) => wave(['convert', interop(name), ...words, '--out', out]);

describe('the result', () => {
  const told = async (captured: ReturnType<typeof wave>) => {
    const { code, stdout, stderr } = await captured;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.replace(out, 'OUT').replaceAll(interop(''), '');
  };

  it('tells what is joined, filled and resized', async () => {
    expect(await told(convert('hf-no-qkv-bias', '--image', '24x16', '--crop-pct', '0.9'))).toMatchInlineSnapshot(`
      "file           OUT
      format         Hugging Face
      size           depth 2, width 12, MLP 24, 3 channels, 5 classes
      image          24x16, patches of 4
      heads          3 (hf-no-qkv-bias/config.json: num_attention_heads)
      epsilon        0.02 (hf-no-qkv-bias/config.json)
      parameters     3557
      joined         2 parameters of several tensors each
      zeros for      blocks.0.attn.qkv.bias, blocks.1.attn.qkv.bias
      positions      4x4 resized to 6x4 (timm)
      preprocessing  mean 0.5 0.5 0.5, std 0.5 0.5 0.5, resize 26x17 (squash), bilinear
      labels         5
      "
    `);
  });

  it('tells what is not known', async () => {
    expect(await told(convert('timm-bare', '--heads', '3'))).toMatchInlineSnapshot(`
      "file           OUT
      format         timm
      size           depth 2, width 12, MLP 24, 3 channels, 5 classes
      image          16x16, patches of 4
      heads          3 (--heads)
      epsilon        0.000001 (that of all timm ViTs)
      parameters     3461
      preprocessing  not known; give --mean and --std
      labels         none
      "
    `);
  });

  it('is told, and nothing is written, with --dry-run', async () => {
    const { stdout } = await convert('timm-token', '--dry-run', '--json');
    expect(existsSync(out)).toBe(false);
    const { result } = Object(onlyDocument(stdout));
    expect(result).toMatchObject({ dryRun: true, format: 'timm' });
    const written = Object(onlyDocument((await convert('timm-token', '--json')).stdout)).result;
    const { seconds, ...plan } = written;
    expect({ dryRun: true, ...plan }).toEqual(result);
    expect(Object.keys(written).sort()).toMatchInlineSnapshot(`
      [
        "channels",
        "classes",
        "depth",
        "eps",
        "epsFrom",
        "filled",
        "format",
        "heads",
        "headsFrom",
        "hidden",
        "ignored",
        "image",
        "joined",
        "labels",
        "notes",
        "parameters",
        "patch",
        "path",
        "preprocess",
        "resized",
        "seconds",
        "source",
        "width",
      ]
    `);
  });
});

describe('flags', () => {
  it('reach the spec', async () => {
    const labels = join(root, 'labels.txt');
    writeFileSync(labels, 'a\nb\nc\nd\ne\n');
    const sizes = ['--heads', '3', '--eps', '1e-5', '--image', '8'];
    const pixels = ['--mean', '0.1,0.2,0.3', '--std', '0.5', '--interpolation', 'bilinear', '--resize-mode', 'squash'];
    expect(await convert('timm-bare', ...sizes, ...pixels, '--crop-pct', '0.5', '--labels', labels)).toMatchObject({
      code: 0,
    });
    expect((await loadModel(out)).spec).toMatchObject({
      heads: 3,
      eps: 1e-5,
      image: [8, 8],
      labels: ['a', 'b', 'c', 'd', 'e'],
      preprocess: {
        mean: [0.1, 0.2, 0.3],
        std: [0.5, 0.5, 0.5],
        resize: [16, 16],
        resize_mode: 'squash',
        interpolation: 'bilinear',
      },
    });
  });

  it.each([
    [['--mean', '0.5,x'], 'flag --mean must be numbers with commas between them, such as 0.5,0.5,0.5; found "0.5,x"'],
    [['--std', '0.5,'], 'flag --std must be numbers with commas between them, such as 0.5,0.5,0.5; found "0.5,"'],
    [['--image', '0x16'], 'flag --image must be N or HxW in pixels, such as 224 or 256x192; found "0x16"'],
    [['--image', '16X16'], 'flag --image must be N or HxW in pixels, such as 224 or 256x192; found "16X16"'],
    [['--from-image', '16'], 'flag --from-image must be HxW in pixels, such as 256x192; found "16"'],
    [['--crop-pct', '0'], '--crop-pct: must be above 0 and at most 1, found 0'],
    [['--crop-pct', '2'], 'flag --crop-pct must be a number from 0 to 1; found "2"; see wave convert --help'],
    [
      ['--interpolation', 'cubic'],
      'flag --interpolation must be one of nearest, bilinear, bicubic, lanczos; found "cubic"; see wave convert --help',
    ],
    [
      ['--position-filter', 'hf'],
      'flag --position-filter must be one of timm, huggingface; found "hf" (did you mean huggingface?); see wave convert --help',
    ],
  ])('%j is refused', async (words, message) => {
    expect(await convert('timm-token', ...words)).toEqual({ code: 2, stdout: '', stderr: `wave: error: ${message}\n` });
    expect(existsSync(out)).toBe(false);
  });
});

describe('a checkpoint of another library', () => {
  const depth = ['--depth', '1', '--width', '12'];

  it('is told how it was understood by the commands that read it, once', async () => {
    const words = [
      'init',
      '--method',
      'weight-selection',
      '--ancestor',
      interop('hf-vit-classic'),
      ...depth,
      '--out',
      out,
    ];
    const { code, stderr } = await wave(words);
    expect(code).toBe(0);
    const config = `${interop('hf-vit-classic')}/config.json`;
    expect(stderr).toBe(
      `wave: ${interop('hf-vit-classic')}: a checkpoint of Hugging Face, 3 heads (${config}: num_attention_heads), ` +
        `epsilon 0.02 (${config})\n`,
    );
    expect((await wave([...words, '--force', '--quiet'])).stderr).toBe('');
  });

  it('is not told of a model of wave', async () => {
    await convert('timm-token');
    const made = join(root, 'made.safetensors');
    const words = ['init', '--method', 'weight-selection', '--ancestor', out, ...depth, '--out', made];
    expect(await wave(words)).toMatchObject({ code: 0, stderr: '' });
  });
});
