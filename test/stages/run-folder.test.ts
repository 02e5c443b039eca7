import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { checkRunFolder, openRunFolder } from '#wave/stages/run-folder.js';

const root = mkdtempSync(join(tmpdir(), 'wave-run-'));
afterAll(() => rmSync(root, { recursive: true }));
let dir: string;
let count = 0;
beforeEach(() => {
  dir = join(root, `run-${count++}`);
});

/** Puts files into the folder. */
function holds(...names: string[]): void {
  mkdirSync(dir, { recursive: true });
  for (const name of names) writeFileSync(join(dir, name), name);
}

const MODEL = { makes: ['model'] } as const;
const FRESH = { force: false };
const FORCE = { force: true };
const RESUME = { force: false, resume: true };

describe('checkRunFolder', () => {
  it.each([
    ['is not there', []],
    ['is empty', ['']],
    ['holds other things', ['notes.txt', 'config.resolved.yaml', '.state.safetensors.1.ab.tmp']],
  ])('accepts a folder that %s, and leaves it as it is', async (_name, names) => {
    if (names.length > 0) holds(...names.filter((name) => name !== ''));
    const before = existsSync(dir) ? readdirSync(dir) : undefined;
    await checkRunFolder({ dir, ...FRESH }, MODEL);
    expect(existsSync(dir) ? readdirSync(dir) : undefined).toEqual(before);
  });

  it.each([
    [['model.safetensors'], FRESH, 'holds a run already (model.safetensors); --force replaces it'],
    [['metrics.jsonl'], FRESH, 'holds a run already (metrics.jsonl); --force replaces it'],
    [
      ['state.safetensors'],
      FRESH,
      'holds a run already (state.safetensors); --resume goes on with it, --force replaces it',
    ],
    [[], RESUME, 'holds no saved state (state.safetensors) to resume from; start without --resume'],
    [['metrics.jsonl'], RESUME, 'holds no saved state (state.safetensors) to resume from; start anew with --force'],
    [
      ['state.safetensors'],
      { force: true, resume: true },
      '--resume goes on with the run, --force replaces it; give one of them',
    ],
  ])('refuses a folder with %j and %j in one line', async (names, how, message) => {
    holds(...names);
    await expect(checkRunFolder({ dir, ...how }, MODEL)).rejects.toThrow(new ConfigError(`${dir}: ${message}`));
    expect(readdirSync(dir).sort()).toEqual([...names].sort());
  });

  it('refuses what is a file, and what lies below one', async () => {
    holds('file');
    for (const path of ['file', 'file/run', 'file/run/deep']) {
      const refused = checkRunFolder({ dir: join(dir, path), ...FRESH }, MODEL);
      await expect(refused).rejects.toThrow(/cannot be used as output folder: a part of the path is a file/);
    }
  });

  // The superuser may write everywhere.
  it.runIf(process.getuid?.() !== 0)('refuses a folder that may not be written, or its parent', async () => {
    holds();
    chmodSync(dir, 0o555);
    for (const path of [dir, join(dir, 'run')]) {
      await expect(checkRunFolder({ dir: path, ...FRESH }, MODEL)).rejects.toThrow(/cannot be used.*permission denied/);
    }
  });
});

describe('the artifacts of a stage', () => {
  const pair = { makes: ['templates', 'scalers'] } as const;

  it('decide what counts as a run and what --force removes', async () => {
    holds('scalers.safetensors', 'model.safetensors');
    await expect(checkRunFolder({ dir, ...FRESH }, pair)).rejects.toThrow('holds a run already (scalers.safetensors)');
    await openRunFolder({ dir, ...FORCE }, {}, pair);
    expect(readdirSync(dir).sort()).toEqual(['config.resolved.yaml', 'model.safetensors']);
  });

  it.each([FRESH, FORCE, RESUME])('must not be what the stage reads, with %j', async (how) => {
    holds('scalers.safetensors', 'state.safetensors');
    const before = readdirSync(dir);
    const reads = [join(dir, 'other.safetensors'), join(dir, '..', basename(dir), 'scalers.safetensors')];
    await expect(checkRunFolder({ dir, ...how }, { ...pair, reads })).rejects.toThrow(
      new ConfigError(`${dir}: the run would replace scalers.safetensors, which it reads; choose another folder`),
    );
    await expect(openRunFolder({ dir, ...how }, {}, { ...pair, reads })).rejects.toThrow(ConfigError);
    expect(readdirSync(dir)).toEqual(before);
  });
});

describe('openRunFolder', () => {
  it('makes the folder and writes the settings', async () => {
    const folder = await openRunFolder({ dir: join(dir, 'deep/er'), ...FRESH }, { b: 1, a: [2] }, MODEL);
    expect(readFileSync(folder.config, 'utf8')).toMatch(/^# [^\n]+\na:\n {2}- 2\nb: 1\n$/);
  });

  it('removes the earlier run with --force, what a killed run left too, and nothing else', async () => {
    holds('model.safetensors', 'state.safetensors', 'metrics.jsonl', 'config.resolved.yaml', 'notes.txt');
    holds('.state.safetensors.123.abcdef.tmp', '.notes.txt.tmp', 'other.tmp');
    await openRunFolder({ dir, ...FORCE }, {}, MODEL);
    expect(readdirSync(dir).sort()).toEqual(['.notes.txt.tmp', 'config.resolved.yaml', 'notes.txt', 'other.tmp']);
  });

  it('keeps the earlier run with --resume, without what a killed run left', async () => {
    holds('state.safetensors', 'metrics.jsonl', '.model.safetensors.123.abcdef.tmp');
    await openRunFolder({ dir, ...RESUME }, {}, MODEL);
    expect(readdirSync(dir).sort()).toEqual(['config.resolved.yaml', 'metrics.jsonl', 'state.safetensors']);
  });
});
