/** Life and death of engine ort: its thread, its process, and devices that are not there. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { EngineError } from '#wave/base/errors.js';
import { createOrtEngine } from '#wave/engine/ort/engine.js';
import { probe } from '#wave/engine/probe.js';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import type { Engine, TrainingProgram } from '#wave/engine/types.js';
import { ADAMW, entries, given } from '../support/engine.js';

const run = promisify(execFile);
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}.mjs`, import.meta.url));
const child = fixture('idle-engine');

const PROGRAM: TrainingProgram = {
  inputs: new Map(),
  run: ({ parameters }) => ({
    loss: tf.sum(tf.square(parameters.get('w') as Tensor)) as Scalar,
    outputs: new Map(),
  }),
};

/** An engine, a step on it, and the thread that it works in. */
async function running() {
  const started = once(process, 'worker') as Promise<[Worker]>;
  const engine: Engine = createOrtEngine({ threads: 1 });
  const [worker] = await started;
  const state = await engine.createState(entries({ w: given([2], [1, 2]) }), ADAMW);
  return { engine, worker, state, step: await engine.compileTraining(PROGRAM, state) };
}

describe('an engine', () => {
  it('whose thread dies fails what waits and what comes after', async () => {
    const { worker, state } = await running();
    // Ended from outside in native code, a thread takes the process with it: reading is none, and there is much of it.
    const waiting = Promise.all(Array.from({ length: 200 }, () => state.read()));
    void worker.terminate();
    await expect(waiting).rejects.toThrow(EngineError);
    await expect(waiting).rejects.toThrow(/^engine ort's thread ended with code 1/);
    await expect(state.read()).rejects.toThrow(/^engine ort's thread ended with code 1/);
  });

  it('whose thread fails says what happened', async () => {
    const { worker, state, step } = await running();
    await step.run(new Map(), { learningRate: 0.1 });
    const ended = once(worker, 'exit');
    // No request looks like this.
    worker.postMessage(null);
    await ended.catch(() => undefined);
    await expect(state.read()).rejects.toThrow(EngineError);
    await expect(state.read()).rejects.toThrow(/^engine ort stopped: /);
  });

  it('that was disposed of refuses to work, and may be disposed of again', async () => {
    const { engine, state, step } = await running();
    const waiting = step.run(new Map(), { learningRate: 0.1 });
    const refused = expect(waiting).rejects.toThrow(/the engine was disposed of/);
    await engine.dispose();
    await refused;
    await expect(state.read()).rejects.toThrow(/the engine was disposed of/);
    await engine.dispose();
  });

  it.each(['load', 'step'])('that is disposed of in the middle of a %s waits for it', async (moment) => {
    const { stderr } = await run(process.execPath, [fixture('ending-engine'), moment, 'dispose']);
    expect(stderr).toBe('');
  });

  it.each(['load', 'step'])('lets the process exit in the middle of a %s', async (moment) => {
    const ended = run(process.execPath, [fixture('ending-engine'), moment, 'exit']);
    await expect(ended).rejects.toMatchObject({ code: 3, signal: null, stderr: '' });
  });

  it('does not keep the process alive while it is idle, but while it works', async () => {
    const { stdout } = await run(process.execPath, [child], { timeout: 20_000 });
    expect(JSON.parse(stdout)).toEqual({ loss: 5, steps: 1 });
  });

  // Other systems have their GPU's driver built in.
  it.runIf(process.platform === 'linux')('says in one line that a device is not there', async () => {
    const nowhere = '/nonexistent.json';
    const env = { ...process.env, VK_DRIVER_FILES: nowhere, VK_ICD_FILENAMES: nowhere };
    const { stdout, stderr } = await run(process.execPath, [child, 'webgpu'], { timeout: 60_000, env });
    const { error, name } = JSON.parse(stdout);
    // The driver's own words stay in the process that tries it.
    expect(stderr).toBe('');
    expect(name).toBe('EngineError');
    expect(error).toMatch(/^engine ort: device webgpu cannot be used: .*adapter.*; see wave doctor$/);
  });

  it('says in one line what cuda needs', async ({ skip }) => {
    const { status } = await probe({ engine: 'ort', device: 'cuda' });
    skip(status === 'ok', 'this machine has it');
    const { stdout, stderr } = await run(process.execPath, [child, 'cuda'], { timeout: 60_000 });
    const { error, name } = JSON.parse(stdout);
    expect(stderr).toBe('');
    expect(name).toBe('EngineError');
    expect(error).toMatch(
      /^engine ort: device cuda cannot be used: .*--onnxruntime-node-install=cuda12.*; see wave doctor$/,
    );
    expect(error).not.toContain('\n');
  });
});
