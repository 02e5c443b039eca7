/** Every file under configs/ is accepted, by every command line that it shows, and says how it is used. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256File } from '#wave/base/sha256.js';
import { makeLineage } from '#wave/checkpoint/index.js';
import { parseArguments } from '#wave/cli/parse.js';
import { COMMANDS } from '#wave/cli/registry.js';
import { loadConfig } from '#wave/config/index.js';
import { modelSchema, resolveModel } from '#wave/model/config.js';
import { evaluateSchema } from '#wave/stages/evaluate.js';
import { loadPipeline } from '#wave/stages/pipeline/index.js';
import { randomScalers, randomTemplates, saveScalers, saveTemplates } from '#wave/wave/index.js';
import { wave } from '../cli/support.js';
import { shellWords } from '../support/shell.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Commands that files are for: the first one that a file shows of itself is its own. */
const OWN = ['pretrain', 'distill', 'fit', 'finetune', 'run', 'data'];
/** Models of 224 pixels that banks of configs/imagenet are for, and the width of their templates there. */
const BANKS = { tiny: 64, small: 128, base: 256 } as const;

const all = readdirSync(join(root, 'configs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.ya?ml$/.test(name))
  .map((name) => `configs/${name.replaceAll('\\', '/')}`)
  .sort();
const textOf = (file: string) => readFileSync(join(root, file), 'utf8');
const isPipeline = (file: string) => /^stages:/m.test(textOf(file));

/** The lines of the comment that a file opens with, without their `#`. */
function openingComment(text: string): string[] {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines.slice(0, end).map((line) => line.slice(1).trim());
}

const commandsOf = (file: string) => openingComment(textOf(file)).filter((line) => line.startsWith('wave '));

/** The configuration or pipeline that a command line names. */
function namedFile(line: string): string | undefined {
  const words = shellWords(line);
  return words[1] === 'run' ? words[2] : words[words.indexOf('--config') + 1];
}

/** No data and no model lies here: only what pipelines read before they start, in the sizes that it is for. */
const place = mkdtempSync(join(tmpdir(), 'wave-configs-'));
const home = process.cwd();

beforeAll(async () => {
  for (const name of ['configs', 'node_modules']) symlinkSync(join(root, name), join(place, name));
  for (const [size, width] of Object.entries(BANKS)) {
    const preprocess = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
    const preset = modelSchema.parse({ preset: `deit-${size}` });
    const model = resolveModel(preset, { channels: 3, classes: 4, image: [224, 224], preprocess });
    const layout = { width, count: 1, small_count: 1, kronecker: 'template-outer' } as const;
    const dir = join(place, 'runs', 'imagenet', `bank-${size}`);
    mkdirSync(dir, { recursive: true });
    const origin = { command: 'wave distill', configSha256: '0'.repeat(64), parents: [] };
    const lineage = makeLineage({ ...origin, seed: 0, engine: 'host', toolVersion: '0.0.0' });
    const templates = join(dir, 'templates.safetensors');
    await saveTemplates(templates, {
      spec: { model, templates: layout },
      values: randomTemplates(model, layout, 0),
      lineage,
    });
    await saveScalers(join(dir, 'scalers.safetensors'), {
      spec: { model, templates: layout, templates_sha256: await sha256File(templates) },
      values: randomScalers(model, layout, 0),
      lineage,
    });
  }
  process.chdir(place);
});

afterAll(() => {
  process.chdir(home);
  rmSync(place, { recursive: true });
});

it('there are configurations to check: of MNIST, of ImageNet in three sizes, of seven downstream sets, of your own images', () => {
  const stages = ['distill', 'init', 'fit', 'finetune'];
  const imagenet = stages.flatMap((stage) => Object.keys(BANKS).map((size) => `imagenet/${stage}-deit-${size}`));
  const sets = ['flowers', 'cub200', 'cars', 'cifar10', 'cifar100', 'food101', 'inaturalist2019'];
  const mnist = ['pretrain', 'distill', 'fit', 'finetune', 'compare'].map((name) => `mnist/${name}`);
  const names = ['quickstart', ...mnist, ...imagenet, 'imagenet/data', ...sets.map((set) => `downstream/${set}`)];
  const own = ['folder/pretrain', 'folder/finetune'];
  expect(all).toEqual([...names, ...own].map((name) => `configs/${name}.yaml`).sort());
});

describe.each(all)('%s', (file) => {
  const commands = commandsOf(file);

  it('opens with a command of its own', () => {
    const own = commands.find((line) => namedFile(line) === file && OWN.includes(shellWords(line)[1]));
    expect(own, 'no command line in the opening comment names the file').toBeDefined();
    // Where a name says a stage, it is this one; `init` of several targets is a pipeline.
    const [stage] = basename(file, '.yaml').split('-');
    const expected = stage === 'init' ? 'run' : stage;
    if (OWN.includes(expected)) {
      expect(commands.some((line) => namedFile(line) === file && shellWords(line)[1] === expected)).toBe(true);
    }
  });

  it('names files under configs/ that are there', () => {
    const named = textOf(file).match(/configs\/[\w./-]+\.yaml/g) ?? [];
    expect(named.filter((name) => !all.includes(name))).toEqual([]);
  });

  it.each(commands)('shows a command that works: %s', async (line) => {
    const [, name, ...words] = shellWords(line);
    const command = await COMMANDS.find((entry) => entry.name === name)?.load();
    if (!command) throw new Error(`no command ${name}`);
    const canDryRun = command.flags.some((flag) => flag.name === 'dry-run');
    if (!canDryRun) {
      await parseArguments(name, command, words);
      return;
    }
    const { code, stdout, stderr } = await wave([
      name,
      ...words,
      ...(words.includes('--dry-run') ? [] : ['--dry-run']),
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toBe('');
  });

  it.runIf(!isPipeline(file))('serves an evaluation as it is', () => {
    expect(() => loadConfig({ schema: evaluateSchema, file: join(root, file) })).not.toThrow();
  });
});

describe.each(all.filter((file) => basename(file).startsWith('init-')))('%s', (file) => {
  it('names targets that its bank can make', async () => {
    const { targets } = await loadPipeline({ file: join(root, file) });
    const bank = /runs\/imagenet\/bank-\w+/.exec(textOf(file))?.[0] ?? '';
    expect(targets.map(({ depth }) => depth)).toEqual(expect.arrayContaining([4, 6, 12]));
    for (const { depth, width } of targets) {
      const size = ['--depth', String(depth), '--width', String(width), '--out', 'none.safetensors'];
      const { code, stderr } = await wave(['init', '--templates', bank, ...size, '--dry-run']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    }
  });

  it('has the template width of the file that makes the bank', () => {
    const size = basename(file, '.yaml').replace('init-deit-', '') as keyof typeof BANKS;
    const distill = loadConfig({
      schema: evaluateSchema,
      file: join(root, 'configs/imagenet', `distill-deit-${size}.yaml`),
    });
    expect(distill.templates?.width).toBe(BANKS[size]);
  });
});

it('leaves nothing behind', () => {
  expect(readdirSync(place).sort()).toEqual(['configs', 'node_modules', 'runs']);
  expect(existsSync(join(place, 'runs', 'quickstart'))).toBe(false);
});
