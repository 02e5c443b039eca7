/** Words to arguments: what is accepted, and the exact words for what is not. */
import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import type { Arguments } from '#wave/cli/arguments.js';
import type { Command } from '#wave/cli/command.js';
import { parseArguments } from '#wave/cli/parse.js';

const command: Pick<Command, 'flags' | 'positionals'> = {
  positionals: [
    { name: 'model', description: 'a checkpoint' },
    { name: 'input', description: 'images', variadic: true },
  ],
  flags: [
    { name: 'config', type: 'string', value: 'FILE', description: '', group: 'Configuration' },
    { name: 'set', type: 'list', value: 'K=V', description: '', group: 'Configuration' },
    { name: 'top', type: 'integer', value: 'N', description: '', group: 'Options', min: 1, default: '5' },
    { name: 'share', type: 'number', value: 'X', description: '', group: 'Options', min: 0, max: 1 },
    { name: 'engine', type: 'string', description: '', group: 'Engine', choices: ['ort', 'tensorflow'] },
    { name: 'out', type: 'string', value: 'FOLDER', description: '', group: 'Output' },
    { name: 'ancestor-heads', type: 'integer', value: 'N', description: '', group: 'Options' },
    { name: 'format', type: 'string', description: '', group: 'Options', choices: ['timm', 'hf'] },
    { name: 'filter', type: 'string', description: '', group: 'Options', choices: ['timm', 'huggingface'] },
    { name: 'json', type: 'boolean', description: '', group: 'Output' },
    { name: 'dry-run', type: 'boolean', description: '', group: 'Output' },
  ],
};

const parse = (...words: string[]) => parseArguments('test', command, words);

async function problems(...words: string[]): Promise<string> {
  const error: unknown = await parse(...words).catch((thrown: unknown) => thrown);
  if (!(error instanceof ConfigError)) throw new Error('accepted');
  expect(error.exitCode).toBe(2);
  expect(error.message.endsWith('; see wave test --help')).toBe(true);
  return error.message.slice(0, -'; see wave test --help'.length);
}

describe('accepts', () => {
  const cases: [words: string[], name: string, read: (args: Arguments) => unknown, value: unknown][] = [
    [['m', 'a', '--config', 'f.yaml'], 'a value after a space', (a) => a.text('config'), 'f.yaml'],
    [['m', 'a', '--config=f=g.yaml'], 'a value after =', (a) => a.text('config'), 'f=g.yaml'],
    [['m', 'a', '--set', 'a=1', '--set=b.c=-2'], 'a repeated list', (a) => a.list('set'), ['a=1', 'b.c=-2']],
    [['m', 'a', '--set', 'a=1', 'b'], 'a list that takes one word at a time', (a) => a.list('input'), ['a', 'b']],
    [['m', 'a'], 'an absent list', (a) => a.list('set'), []],
    [['m', 'a'], 'a default', (a) => a.number('top'), 5],
    [['m', 'a', '--top', '12'], 'a whole number', (a) => a.number('top'), 12],
    [['m', 'a', '--share', '1e-3'], 'a number', (a) => a.number('share'), 0.001],
    [['m', 'a', '--dry-run'], 'a switch', (a) => a.has('dry-run'), true],
    [['m', 'a'], 'an absent switch', (a) => a.has('dry-run'), false],
    [['--json', 'm', 'a'], 'a switch before an argument', (a) => a.text('model'), 'm'],
    [['007', '1e3', '0x1F'], 'arguments that look like numbers, unchanged', (a) => a.list('input'), ['1e3', '0x1F']],
    [['m', '--', '--json', '-x'], 'arguments with dashes after --', (a) => a.list('input'), ['--json', '-x']],
    [['m', 'a', '--config', '007'], 'text that looks like a number, unchanged', (a) => a.text('config'), '007'],
  ];
  it.each(cases)('%j: %s', async (words, _name, read, value) => {
    expect(read(await parse(...words))).toEqual(value);
  });
});

describe('refuses', () => {
  it.each<[words: string[], message: string]>([
    [['m', 'a', '--confg', 'f'], 'unknown flag --confg (did you mean --config?)'],
    [['m', 'a', '--conf=f'], 'unknown flag --conf (did you mean --config?)'],
    [['m', 'a', '--dryrun'], 'unknown flag --dryrun (did you mean --dry-run?)'],
    [['m', 'a', '--no-json'], 'unknown flag --no-json'],
    [['m', 'a', '-x'], 'unknown flag -x'],
    [['m', 'a', '--__proto__=1'], 'unknown flag --__proto__'],
    [['m', 'a', '--zebra'], 'unknown flag --zebra'],
    [['m', 'a', '--heads', '3'], 'unknown flag --heads (did you mean --ancestor-heads?)'],
    [['m', 'a', '--ancestor_heads=3'], 'unknown flag --ancestor_heads (did you mean --ancestor-heads?)'],
    [['m', 'a', '--output', 'x'], 'unknown flag --output (did you mean --out?)'],
    [
      ['m', 'a', '--format', 'huggingface'],
      'flag --format must be one of timm, hf; found "huggingface" (did you mean hf?)',
    ],
    [
      ['m', 'a', '--filter', 'hf'],
      'flag --filter must be one of timm, huggingface; found "hf" (did you mean huggingface?)',
    ],
    [['m', 'a', '--top', 'many'], 'flag --top must be a whole number, 1 or more; found "many"'],
    [['m', 'a', '--top', '0'], 'flag --top must be a whole number, 1 or more; found "0"'],
    [['m', 'a', '--top', '2.5'], 'flag --top must be a whole number, 1 or more; found "2.5"'],
    [['m', 'a', '--share', '87'], 'flag --share must be a number from 0 to 1; found "87"'],
    [
      ['m', 'a', '--engine', 'tensoflow'],
      'flag --engine must be one of ort, tensorflow; found "tensoflow" (did you mean tensorflow?)',
    ],
    [['m', 'a', '--config'], 'flag --config needs a value: --config FILE'],
    [['m', 'a', '--config', '--json'], 'flag --config needs a value: --config FILE'],
    [['m', 'a', '--config='], 'flag --config needs a value: --config FILE'],
    [['m', 'a', '--config', 'x', '--config', 'y'], 'flag --config is given 2 times; give it once'],
    [['m', 'a', '--json=yes'], 'flag --json takes no value'],
    [['m'], 'INPUT is missing: images'],
    [[], 'MODEL is missing: a checkpoint\nINPUT is missing: images'],
    [
      ['m', 'a', '--topp', '3', '--share=x'],
      'unknown flag --topp (did you mean --top?)\nflag --share must be a number from 0 to 1; found "x"',
    ],
  ])('%j', async (words, message) => {
    expect(await problems(...words)).toBe(message);
  });

  it('nothing where an argument may be left out', async () => {
    const optional = { flags: [], positionals: [{ name: 'model', description: 'a checkpoint', optional: true }] };
    expect((await parseArguments('test', optional, [])).text('model')).toBeUndefined();
    expect((await parseArguments('test', optional, ['m'])).text('model')).toBe('m');
  });

  it('an argument too many', async () => {
    const one = { flags: command.flags, positionals: command.positionals.slice(0, 1) };
    await expect(parseArguments('test', one, ['m', 'n'])).rejects.toThrow(
      'unexpected argument "n"; see wave test --help',
    );
  });

  it('a missing required flag', async () => {
    const flags = command.flags.map((flag) => ({ ...flag, required: flag.name === 'config' }));
    await expect(parseArguments('test', { flags, positionals: [] }, [])).rejects.toThrow(
      'flag --config FILE is missing',
    );
  });
});
