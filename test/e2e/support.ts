/** Runs the built command line as a child process, in a folder of its own, on drawn images and a very small model. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { openSafetensors } from '#wave/checkpoint/index.js';

const LAUNCHER = fileURLToPath(new URL('../../bin/wave.js', import.meta.url));

/** 26,724 parameters, 16 steps an epoch; drawn images of four classes, so chance is 25 %. */
export const SETTINGS = `
seed: 7
model: { patch: 4, depth: 2, width: 32, heads: 2 }
data:
  source: synthetic
  synthetic: { image: 16, classes: 4, train: 512, test: 130 }
train: { epochs: 8, batch: 32, lr: 3.0e-3, warmup_epochs: 1 }
eval: { batch: 50 }
engine: { threads: 1 }
`;

/** What a call left behind. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  /** Sees all of stderr so far, and can send a signal. */
  readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
  readonly env?: Readonly<Record<string, string>>;
}

/** A folder with `pico.yaml` in it, where `wave` can be called. */
export class Place {
  readonly dir = mkdtempSync(join(tmpdir(), 'wave-e2e-'));

  constructor() {
    writeFileSync(this.at('pico.yaml'), SETTINGS);
  }

  at(...names: string[]): string {
    return join(this.dir, ...names);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true });
  }

  /** Names in a folder, hidden ones too; undefined when there is no such folder. */
  names(folder: string): string[] | undefined {
    return existsSync(this.at(folder)) ? readdirSync(this.at(folder)).sort() : undefined;
  }

  /** Calls `wave WORDS`. A fixed date makes files the same every time. */
  wave(words: readonly string[], { onStderr, env = {} }: CallOptions = {}): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [LAUNCHER, ...words], {
        cwd: this.dir,
        env: { ...process.env, NO_COLOR: '1', SOURCE_DATE_EPOCH: '1700000000', ...env },
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
        onStderr?.(stderr, (signal) => child.kill(signal));
      });
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
  }

  /** Calls `wave WORDS --json`, which must work, and gives its result. */
  async result<Result>(words: readonly string[]): Promise<Result> {
    const { code, stdout, stderr } = await this.wave([...words, '--json', '--quiet']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const document = onlyDocument(stdout) as { ok: boolean; result: Result };
    expect(document.ok).toBe(true);
    return document.result;
  }

  pretrain(out: string, ...more: string[]): Promise<Ended> {
    return this.wave(['pretrain', '--config', 'pico.yaml', '--out', out, ...more]);
  }

  /** The tensors of a file as bytes, without its metadata: two runs differ in the command that is recorded. */
  async tensors(...names: string[]): Promise<Map<string, Buffer>> {
    const file = await openSafetensors(this.at(...names));
    const tensors = new Map<string, Buffer>();
    for (const name of file.tensors.keys()) tensors.set(name, Buffer.from((await file.readFloat32(name)).buffer));
    await file.close();
    return tensors;
  }

  bytes(...names: string[]): Buffer {
    return readFileSync(this.at(...names));
  }
}

/** The one JSON document on stdout; fails if there is anything else. */
export function onlyDocument(stdout: string): unknown {
  expect(stdout).toMatch(/^\{[^\n]*\}\n$/);
  return JSON.parse(stdout);
}
