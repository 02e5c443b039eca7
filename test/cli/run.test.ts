/** Results and failures of commands: streams, exit codes, and exactly one JSON document with --json. */
import { describe, expect, it } from 'vitest';
import { CheckError, ConfigError, DataError } from '#wave/base/errors.js';
import type { Command, Outcome, Session } from '#wave/cli/command.js';
import { EVERYWHERE } from '#wave/cli/flags.js';
import type { CommandEntry } from '#wave/cli/registry.js';
import { describeError } from '#wave/cli/report-error.js';
import { commandLine } from '#wave/cli/session.js';
import { onlyDocument, wave } from './support.js';

/** `wave try` does what `action` says. */
function trying(action: (session: Session) => Promise<Outcome>): CommandEntry[] {
  const command: Command = {
    positionals: [],
    flags: EVERYWHERE,
    examples: [],
    run: (_args, session) => action(session),
  };
  return [{ name: 'try', summary: 'try', group: 'Look', load: async () => command }];
}

function failing(error: unknown): CommandEntry[] {
  return trying(async () => {
    throw error;
  });
}

describe('a result', () => {
  const commands = trying(async () => ({ data: { top1: 0.5 }, text: 'top-1 50.0 %' }));

  it('is text on stdout', async () => {
    expect(await wave(['try'], commands)).toEqual({ code: 0, stdout: 'top-1 50.0 %\n', stderr: '' });
  });

  it('is one JSON document with --json', async () => {
    expect(await wave(['try', '--json'], commands)).toEqual({
      code: 0,
      stdout: '{"ok":true,"result":{"top1":0.5}}\n',
      stderr: '',
    });
  });
});

describe('a result that does not hold', () => {
  const commands = trying(async () => ({ data: { top1: 0.5 }, text: 'poor\n', failure: new CheckError('too poor') }));

  it('is printed, then the error, and exits with 3', async () => {
    expect(await wave(['try'], commands)).toEqual({ code: 3, stdout: 'poor\n', stderr: 'wave: error: too poor\n' });
  });

  it('is in the JSON document beside the error', async () => {
    const { code, stdout } = await wave(['try', '--json'], commands);
    expect(code).toBe(3);
    expect(onlyDocument(stdout)).toEqual({
      ok: false,
      error: { type: 'CheckError', message: 'too poor', exitCode: 3 },
      result: { top1: 0.5 },
    });
  });
});

describe('a failure', () => {
  const bug = new TypeError('x is undefined\nand more');
  const cases: [name: string, error: unknown, code: number, type: string, stderr: string][] = [
    ['of data', new DataError('a.idx: is empty'), 1, 'DataError', 'wave: error: a.idx: is empty\n'],
    ['of settings', new ConfigError('one\ntwo'), 2, 'ConfigError', 'wave: error: one\nwave: error: two\n'],
    [
      'that is a bug',
      bug,
      1,
      'InternalError',
      'wave: internal error: x is undefined (run again with --debug and report it)\n',
    ],
    [
      'that is not even an error',
      'thrown text',
      1,
      'InternalError',
      'wave: internal error: thrown text (run again with --debug and report it)\n',
    ],
  ];

  it.each(cases)('%s is told without a stack trace', async (_name, error, code, _type, stderr) => {
    expect(await wave(['try'], failing(error))).toEqual({ code, stdout: '', stderr });
  });

  it.each(cases)('%s is one JSON document with --json', async (_name, error, code, type, stderr) => {
    const result = await wave(['try', '--json'], failing(error));
    expect(result).toMatchObject({ code, stderr });
    expect(onlyDocument(result.stdout)).toMatchObject({ ok: false, error: { type, exitCode: code } });
  });

  it('shows the stack trace and the cause with --debug', async () => {
    const error = new DataError('a.idx: cannot be read', 1, { cause: new Error('EIO') });
    const { stderr } = await wave(['try', '--debug'], failing(error));
    expect(stderr).toMatch(/^wave: error: a\.idx: cannot be read\nDataError: .* at .*\[cause\]: Error: EIO/s);
  });

  it.each([
    [['try', '--bad', '--json'], 'unknown flag --bad; see wave try --help'],
    [['tri', '--json'], 'unknown command "tri" (did you mean try?); see wave --help'],
    [['--json'], 'flag --json stands where a command should be; see wave --help'],
  ])('of usage is one JSON document too: %j', async (words, message) => {
    const { code, stdout, stderr } = await wave(words, failing('not reached'));
    expect(code).toBe(2);
    expect(stderr).toBe(`wave: error: ${message}\n`);
    expect(onlyDocument(stdout)).toEqual({ ok: false, error: { type: 'ConfigError', message, exitCode: 2 } });
  });
});

describe('an interruption', () => {
  const save = new DataError('saved after step 12');
  const abort = AbortSignal.abort().reason;
  it.each([
    [save, 'saved after step 12'],
    [abort, 'stopped by a signal'],
    [
      new TypeError('x is undefined'),
      'stopped by a signal, and failed meanwhile: x is undefined (run again with --debug and report it)',
    ],
  ])('tells %s', (error, message) => {
    expect(describeError(error, 130)).toEqual({ type: 'InterruptedError', message, exitCode: 130 });
  });
});

describe('wave help', () => {
  it('is --help, of a command too', async () => {
    const [overview, command] = [await wave(['help']), await wave(['help', 'pretrain'])];
    expect(overview).toEqual(await wave(['--help']));
    expect(command).toEqual(await wave(['pretrain', '--help']));
    expect(command.stdout).toContain('wave pretrain');
  });
});

describe('usage', () => {
  it.each([
    [['tyr'], 'unknown command "tyr" (did you mean try?); see wave --help'],
    [['zebra'], 'unknown command "zebra"; see wave --help'],
    [['zebra', '--help'], 'unknown command "zebra"; see wave --help'],
    [['--hlep'], 'flag --hlep stands where a command should be (did you mean --help?); see wave --help'],
    [['--versoin'], 'flag --versoin stands where a command should be (did you mean --version?); see wave --help'],
    [['try', 'x'], 'unexpected argument "x"; see wave try --help'],
    [['try', '--', '--help'], 'unexpected argument "--help"; see wave try --help'],
  ])('refuses %j', async (words, message) => {
    const commands = failing('not reached');
    expect(await wave(words, commands)).toEqual({ code: 2, stdout: '', stderr: `wave: error: ${message}\n` });
  });
});

describe('notes', () => {
  const commands = trying(async (session) => {
    session.warn('warning: odd');
    return { data: {}, text: 'done' };
  });

  it('go to stderr', async () => {
    expect((await wave(['try'], commands)).stderr).toBe('wave: warning: odd\n');
  });

  it('are left out with --quiet', async () => {
    expect((await wave(['try', '--quiet'], commands)).stderr).toBe('');
  });
});

describe('the command line given to a stage', () => {
  it('can be typed again in a shell', () => {
    expect(commandLine(['eval', 'a b.st', '--set', "data.name=it's", '--top=5', 'µ'])).toBe(
      "wave eval 'a b.st' --set 'data.name=it'\\''s' --top=5 'µ'",
    );
  });
});
