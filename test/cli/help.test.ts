/** Help texts, word for word, at a width of 80 columns; and that they cost no heavy module. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commandHelp, overviewHelp } from '#wave/cli/help.js';
import { parseArguments } from '#wave/cli/parse.js';
import { COMMANDS } from '#wave/cli/registry.js';
import { shellWords } from '../support/shell.js';
import { LAUNCHER, spawnNode, wave } from './support.js';

describe('overview', () => {
  it('is printed on stdout for --help', async () => {
    const { code, stdout, stderr } = await wave(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expect(stdout.replace(/wave \d+\.\d+\.\d+/, 'wave VERSION')).toMatchFileSnapshot('snapshots/overview.txt');
  });

  it('is printed on stderr, as an error, when no command is given', async () => {
    const help = await wave(['--help']);
    expect(await wave([])).toEqual({ code: 2, stdout: '', stderr: help.stdout });
  });

  it.each([60, 80, 100])('fits %i columns', (columns) => {
    const widest = Math.max(
      ...overviewHelp(COMMANDS, '0.0.0', columns)
        .split('\n')
        .map((line) => line.length),
    );
    expect(widest).toBeLessThanOrEqual(columns);
  });
});

describe.each(COMMANDS)('help of $name', (entry) => {
  it('says what it always said', async () => {
    const { code, stdout, stderr } = await wave([entry.name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expect(stdout).toMatchFileSnapshot(`snapshots/${entry.name}.txt`);
  });

  it('ends in examples that the command accepts', async () => {
    const command = await entry.load();
    expect(
      commandHelp(entry, command, 80)
        .trimEnd()
        .endsWith(command.examples.at(-1)?.command ?? 'an example'),
    ).toBe(true);
    for (const example of command.examples) {
      const [program, name, ...words] = shellWords(example.command);
      expect([program, name]).toEqual(['wave', entry.name]);
      await parseArguments(name, command, words);
    }
  });

  it('names no flag twice', async () => {
    const names = (await entry.load()).flags.map((flag) => flag.name);
    expect(names).toEqual([...new Set(names)]);
  });
});

describe('start', () => {
  const listModules = fileURLToPath(new URL('./fixtures/list-modules.mjs', import.meta.url));

  it.each([[['--help']], [['--version']], [[]], [['pretrain', '--help']], [['init', '--help']]])(
    'loads no package for %j',
    async (words) => {
      const { stderr } = await spawnNode(['--import', listModules, LAUNCHER, ...words]);
      const loaded = stderr.split('\n').filter((line) => line.startsWith('loaded '));
      expect(loaded.some((line) => line.endsWith('/dist/cli/main.js'))).toBe(true);
      expect(loaded.filter((line) => line.includes('/node_modules/'))).toEqual([]);
    },
  );

  it('loads yargs but nothing heavy to read the arguments of a command', async () => {
    const { stderr } = await spawnNode(['--import', listModules, LAUNCHER, 'eval', '--hepl']);
    const packages = [...stderr.matchAll(/^loaded .*\/node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map((match) => match[1]);
    expect(packages).toContain('yargs');
    const heavy = ['@tensorflow/tfjs', 'onnxruntime-node', 'sharp', 'zod', 'yaml', 'ora', 'cli-table3', 'protobufjs'];
    expect(heavy.filter((name) => packages.includes(name))).toEqual([]);
  });
});
