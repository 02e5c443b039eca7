/** Runs the command line in this process and as a process of its own, and remembers what it printed. */
import { spawn } from 'node:child_process';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Interruption } from '#wave/cli/interruption.js';
import type { Io } from '#wave/cli/io.js';
import type { CommandEntry } from '#wave/cli/registry.js';
import { run } from '#wave/cli/run.js';

/** What a call left behind. */
export interface Captured {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A stream that keeps what is written to it; `columns` and `isTTY` make it a terminal. */
export class Sink extends Writable {
  text = '';
  readonly columns?: number;
  readonly isTTY?: boolean;

  constructor(terminal?: { readonly columns: number }) {
    super({ decodeStrings: false });
    if (terminal !== undefined) {
      this.isTTY = true;
      this.columns = terminal.columns;
    }
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs `wave WORDS` in this process. */
export async function wave(words: readonly string[], commands?: readonly CommandEntry[]): Promise<Captured> {
  const stdout = new Sink();
  const stderr = new Sink();
  const io: Io = { stdout, stderr, env: {}, now: () => 0 };
  const interruption = new Interruption(() => {
    throw new Error('nothing may end the process of the tests');
  });
  const code = await run(words, io, interruption, commands);
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** The launcher, for `spawnNode`. */
export const LAUNCHER = fileURLToPath(new URL('../../bin/wave.js', import.meta.url));

/** Runs `node WORDS`; `onStdout` sees each piece of output and the process, to send it signals. */
export function spawnNode(
  words: readonly string[],
  onStdout: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Captured> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words, { env: { ...process.env, NO_COLOR: '1' } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      onStdout(chunk.toString(), (signal) => child.kill(signal));
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** The one JSON document on `stdout`; fails if there is anything else. */
export function onlyDocument(stdout: string): unknown {
  if (!/^[^\n]*\n$/.test(stdout)) throw new Error(`expected one line, found ${JSON.stringify(stdout)}`);
  return JSON.parse(stdout);
}
