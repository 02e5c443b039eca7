/** What scripts/tensorflow-setup.mjs says where it cannot do its work, and that it leaves alone what is in place. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/tensorflow-setup.mjs', import.meta.url));
const NATIVE = fileURLToPath(new URL('../../scripts/tensorflow-native.c', import.meta.url));
const isSupported = process.platform === 'linux' && process.arch === 'x64';
const isRequired = (process.env.WAVE_REQUIRE_ENGINES ?? '').split(',').includes('tensorflow/cpu');

/** A project with the script and nothing else. */
let project = '';
beforeAll(() => {
  project = realpathSync(mkdtempSync(join(tmpdir(), 'wave-setup-')));
  mkdirSync(join(project, 'scripts'));
  copyFileSync(SCRIPT, join(project, 'scripts/setup.mjs'));
  copyFileSync(NATIVE, join(project, 'scripts/tensorflow-native.c'));
  writeFileSync(join(project, 'package.json'), '{}');
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** Without any program on the path. */
function setup(...args: string[]) {
  const options = { encoding: 'utf8', env: { PATH: '' } } as const;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(project, 'scripts/setup.mjs'), ...args],
    options,
  );
  return { status, stdout, lines: stderr.trim().split('\n') };
}

describe('tensorflow-setup', () => {
  it('refuses what it does not know', () => {
    const { status, lines } = setup('--gpu');
    expect(status).toBe(2);
    expect(lines).toEqual([expect.stringMatching(/^tensorflow-setup: .*'--gpu'.*; the one option is --cuda$/)]);
  });

  it.runIf(isSupported)('says what it lacks, with an exit code of its own', () => {
    const withoutNpm = setup();
    expect(withoutNpm.status).toBe(3);
    expect(withoutNpm.lines.at(-1)).toBe('tensorflow-setup: npm cannot install @tensorflow/tfjs-node-gpu@4.22.0');
    const folder = join(project, 'node_modules/@tensorflow/tfjs-node-gpu');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{}');
    const withoutPython = setup();
    expect(withoutPython.status).toBe(3);
    expect(withoutPython.lines).toEqual([
      expect.stringMatching(/^tensorflow-setup: (needs Python with pip|npm does not)/),
    ]);
    expect(withoutPython.stdout).toBe('');
  });

  it.runIf(isRequired)('leaves alone what is in place', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^engine tensorflow is in place: /);
  });
});
