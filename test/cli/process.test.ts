/** The command line as a process: launcher, signals, closed pipes, stray errors. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { LAUNCHER, onlyDocument, spawnNode } from './support.js';

const FAKE = fileURLToPath(new URL('./fixtures/fake-wave.mjs', import.meta.url));

describe('launcher', () => {
  it('prints the version of the package', async () => {
    const { version } = (await import('../../package.json', { with: { type: 'json' } })).default;
    expect(await spawnNode([LAUNCHER, '--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('says what to do when the program is not built', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'wave-launcher-'));
    try {
      await cp(LAUNCHER, join(folder, 'bin', 'wave.mjs'));
      const { code, stdout, stderr } = await spawnNode([join(folder, 'bin', 'wave.mjs'), '--help']);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toBe(
        'wave: error: dist/cli/main.js is missing; run `npm run build` in the package folder first\n',
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('refuses an old Node with one line', async () => {
    const pretend =
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } });" +
      `await import(${JSON.stringify(LAUNCHER)});`;
    const { code, stderr } = await spawnNode(['--input-type=module', '-e', pretend]);
    expect(code).toBe(1);
    expect(stderr).toBe('wave: error: Node 18.20.4 is too old; wave needs Node 20.19 or newer\n');
  });

  it('passes the exit code and the error of the program on', async () => {
    const { code, stdout, stderr } = await spawnNode([LAUNCHER, 'doctro']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe('wave: error: unknown command "doctro" (did you mean doctor?); see wave --help\n');
  });
});

describe('signals', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('lets a stage save after %s and exits with %i', async (signal, code) => {
    const result = await spawnNode([FAKE, 'stage'], (text, kill) => text.includes('running') && kill(signal));
    expect(result).toEqual({
      code,
      stdout: 'running\n',
      stderr:
        'wave: stopping as soon as all is saved; once more to stop without saving\nwave: interrupted: saved after step 12\n',
    });
  });

  it('prints one JSON document when a stage is interrupted', async () => {
    const { code, stdout } = await spawnNode([FAKE, 'stage', '--json', '--quiet']);
    expect(code).toBe(143);
    expect(onlyDocument(stdout)).toEqual({
      ok: false,
      error: { type: 'InterruptedError', message: 'saved after step 12', exitCode: 143 },
    });
  });

  it('stops at once at the second signal', async () => {
    let sent = 0;
    const result = await spawnNode([FAKE, 'deaf'], (_text, kill) => {
      kill('SIGINT');
      const again = setInterval(() => (++sent < 50 ? kill('SIGINT') : clearInterval(again)), 20);
      again.unref();
    });
    expect(result.code).toBe(130);
  });

  it('stops a command without a stage at the first signal', async () => {
    const result = await spawnNode([FAKE, 'idle'], (_text, kill) => kill('SIGTERM'));
    expect(result).toEqual({ code: 143, stdout: 'running\n', stderr: '' });
  });
});

describe('streams', () => {
  it('is silent and successful when the reader of its output goes away', async () => {
    const command = `"${process.execPath}" "${FAKE}" flood | head -n 2; echo "codes \${PIPESTATUS[*]}"`;
    const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve, reject) => {
      execFile('bash', ['-c', command], (error, out, err) =>
        error === null ? resolve({ stdout: out, stderr: err }) : reject(error),
      );
    });
    expect(stdout).toBe('a line of the result\na line of the result\ncodes 0 0\n');
    expect(stderr).toBe('');
  });

  it('tells an error that nobody caught in one line', async () => {
    const { code, stdout, stderr } = await spawnNode([FAKE, 'stray', '--json']);
    expect(code).toBe(1);
    expect(stderr).toBe('wave: internal error: stray (run again with --debug and report it)\n');
    expect(onlyDocument(stdout)).toMatchObject({ ok: false, error: { type: 'InternalError', exitCode: 1 } });
  });
});
