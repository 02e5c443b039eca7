/** `wave init` with real files: what it prints, what it writes, and what it refuses. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { METHODS } from '#wave/init/registry.js';
import { loadModel } from '#wave/model/load.js';
import { loadScalers, randomScalers } from '#wave/wave/index.js';
import { type BankFiles, bankInputs, LAYOUT, saveBank } from '../init/support.js';
import { onlyDocument, wave } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-cli-init-'));
afterAll(() => rmSync(root, { recursive: true }));
let files: BankFiles;
let out: string;
let count = 0;

beforeAll(async () => {
  files = await saveBank(root);
});
beforeEach(() => {
  out = join(root, `out-${count++}.safetensors`);
});

const SIZE = ['--depth', '4', '--width', '32'];
const init = (...words: string[]) => wave(['init', ...words, '--out', out]);
const fromTemplates = (...words: string[]) => init('--templates', files.templates, ...SIZE, ...words);

describe('the result', () => {
  const told = async (captured: ReturnType<typeof wave>) => {
    const { code, stdout, stderr } = await captured;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.replace(out, 'OUT');
  };

  it('tells templates, scalers and parameters', async () => {
    expect(await told(fromTemplates())).toMatchInlineSnapshot(`
      "file        OUT
      kind        scalers
      method      wave
      size        depth 4, width 32, 8 heads
      parameters  51781
      templates   bank of 3002 numbers (0.06 x the target's size)
      scalers     1082
      "
    `);
    expect(await told(fromTemplates('--materialise', '--force'))).toMatchInlineSnapshot(`
      "file        OUT
      kind        model
      method      wave
      size        depth 4, width 32, 8 heads
      parameters  51781
      templates   bank of 3002 numbers (0.06 x the target's size)
      scalers     1082
      "
    `);
  });

  it('tells what was copied from an ancestor, or that nothing was', async () => {
    const size = ['--depth', '2', '--width', '16'];
    const words = ['--method', 'weight-selection', '--ancestor', files.ancestor, ...size, '--set', 'head=fresh'];
    expect(await told(init(...words))).toMatchInlineSnapshot(`
      "file         OUT
      kind         model
      method       weight-selection
      size         depth 2, width 16, 4 heads
      parameters   7045
      transferred  6960 (98.8 % of the parameters)
      "
    `);
    const scratch = ['--method', 'deit', '--templates', files.templates, ...SIZE, '--force'];
    expect(await told(init(...scratch))).toMatchInlineSnapshot(`
      "file         OUT
      kind         model
      method       deit
      size         depth 4, width 32, 8 heads
      parameters   51781
      transferred  0 (0.0 % of the parameters)
      "
    `);
  });

  it('tells one head as one', async () => {
    expect(await told(fromTemplates('--heads', '1'))).toContain('\nsize        depth 4, width 32, 1 head\n');
  });

  it('is what would be made, and nothing is written, with --dry-run', async () => {
    const { seconds: _, ...plan } = Object(onlyDocument((await fromTemplates('--json')).stdout)).result;
    const path = out;
    out = join(root, 'nowhere', 'planned.safetensors');
    const { code, stdout } = await fromTemplates('--dry-run', '--json');
    expect(onlyDocument(stdout)).toEqual({ ok: true, result: { dryRun: true, ...plan, path: out } });
    expect({ code, there: existsSync(join(out, '..')) }).toEqual({ code: 0, there: false });
    expect((await fromTemplates('--dry-run')).stdout).toContain('\nkind        scalers\n');
    const refused = await init('--templates', files.templates, '--depth', '4', '--width', '30', '--dry-run');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/^wave: error: width 30 /) });
    out = path;
    expect(await fromTemplates('--dry-run')).toMatchObject({
      code: 2,
      stderr: `wave: error: ${out}: is already there; --force replaces it\n`,
    });
  });

  it('is one document with --json', async () => {
    const { stdout } = await fromTemplates('--json');
    expect(onlyDocument(stdout)).toEqual({
      ok: true,
      result: {
        path: out,
        kind: 'scalers',
        method: 'wave',
        depth: 4,
        width: 32,
        heads: 8,
        parameters: expect.any(Number),
        scalers: expect.any(Number),
        transferred: expect.any(Number),
        share: expect.any(Number),
        seconds: expect.any(Number),
      },
    });
  });
});

describe('flags', () => {
  it('--start random and --seed are what --set start=random and the seed are', async () => {
    await fromTemplates('--start', 'random', '--seed', '6');
    const { spec, values } = await loadScalers(out);
    expect(values).toEqual(randomScalers(spec.model, LAYOUT, 6, bankInputs().scalers));
    await fromTemplates('--set', 'start=random', '--seed', '6', '--force');
    expect((await loadScalers(out)).values).toEqual(values);
    await fromTemplates('--set', 'start=random', '--start', 'inherit', '--force');
    expect((await loadScalers(out)).values).not.toEqual(values);
  });

  it('--scalers, --heads, --ancestor and --ancestor-heads reach the method', async () => {
    await fromTemplates('--scalers', files.scalers, '--heads', '2', '--materialise');
    expect((await loadModel(out)).spec).toMatchObject({ depth: 4, width: 32, heads: 2 });
    const ancestor = ['--ancestor', files.ancestor, '--ancestor-heads', '6'];
    const { code } = await init('--method', 'deit', ...ancestor, ...SIZE, '--force');
    expect(code).toBe(0);
    expect((await loadModel(out)).spec.heads).toBe(8);
  });

  it('--templates and --scalers take the folders that hold them', async () => {
    await fromTemplates();
    const { values } = await loadScalers(out);
    await init('--templates', root, ...SIZE, '--force');
    expect((await loadScalers(out)).values).toEqual(values);
    await init('--templates', root, '--scalers', root, ...SIZE, '--force');
    expect((await loadScalers(out)).values).toEqual(values);
  });

  it.each([
    [[], ['flag --depth N is missing', 'flag --width N is missing; see wave init --help']],
    [['--method', 'wafe', ...SIZE], [/^flag --method must be one of .*; found "wafe" \(did you mean wave\?\); see/]],
    [['--start', 'fresh', ...SIZE], [/^flag --start must be one of inherit, random; found "fresh"/]],
    [['--depth', '0', '--width', '8'], [/^flag --depth must be a whole number, 1 or more; found "0"/]],
    [SIZE, ['method wave starts from a template bank; give --templates FILE']],
    [['--set', 'heed=fresh', ...SIZE], [/^--set heed=fresh: .*heed/]],
    [['--method', 'weight-selection', '--start', 'random', ...SIZE], [/^--start=random: .*start/]],
    [['--method', 'weight-selection', '--set', 'head=none', ...SIZE], [/^--set head=none: head: /]],
    [['--method', 'deit', '--materialise', ...SIZE], ['--materialise: deit always writes a model; leave it out']],
  ])('refuses %j with one line each', async (words, lines) => {
    const { code, stdout, stderr } = await init(...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const errors = stderr.trimEnd().split('\n');
    expect(errors).toEqual(errors.filter((line) => line.startsWith('wave: error: ')));
    const bare = errors.map((line) => line.slice('wave: error: '.length));
    expect(bare).toEqual(lines.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))));
    expect(existsSync(out)).toBe(false);
  });
});

it('refuses a file that is there, a size that cannot be made and a file of another kind', async () => {
  await fromTemplates();
  expect(await fromTemplates()).toEqual({
    code: 2,
    stdout: '',
    stderr: `wave: error: ${out}: is already there; --force replaces it\n`,
  });
  const width = await init('--templates', files.templates, '--depth', '1', '--width', '30', '--force');
  expect(width.stderr).toMatch(/^wave: error: width 30 [^\n]+ the nearest valid widths are 24 and 32\n$/);
  const heads = await fromTemplates('--heads', '5', '--force');
  expect(heads.stderr).toMatch(/^wave: error: heads 5 does not divide width 32; [^\n]+\n$/);
  expect([width.code, heads.code]).toEqual([2, 2]);
  const kind = await init('--templates', files.ancestor, ...SIZE, '--force');
  expect(kind.stderr).toMatch(/^wave: error: [^\n]+ is a model, expected a template bank; [^\n]+\n$/);
});

it('lists all methods in its help', async () => {
  const { stdout } = await wave(['init', '--help']);
  for (const { name, summary } of METHODS) {
    expect(stdout).toContain(`  ${name} `);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(summary);
  }
});
