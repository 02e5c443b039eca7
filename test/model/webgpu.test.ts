/** A few training steps on a GPU give what the CPU gives. Without a GPU: scripts/software-vulkan.sh. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { expectClose } from '../support/close.js';
import { needsWebgpu } from '../support/webgpu.js';
import { fixture } from './support.js';

interface Outcome {
  readonly losses: number[];
  readonly steps: number;
  readonly logits: Record<string, number[]>;
  readonly parameters: Record<string, number[]>;
  readonly first: Record<string, number[]>;
  readonly second: Record<string, number[]>;
}

/** In a process of its own: a driver that hangs or crashes must not take the tests with it. */
async function outcomeOn(device: string): Promise<Outcome> {
  const options = { timeout: 50_000, killSignal: 'SIGKILL' } as const;
  const { stdout } = await promisify(execFile)(process.execPath, [fixture('pico-steps.mjs'), device], options);
  return JSON.parse(stdout);
}

it('trains on webgpu as on the CPU', async ({ skip }) => {
  await needsWebgpu(skip);
  const [gpu, cpu] = [await outcomeOn('webgpu'), await outcomeOn('cpu')];
  expect(gpu.steps).toBe(3);
  expectClose('losses and norms', gpu.losses, cpu.losses, { relative: 1e-5 });
  for (const kind of ['logits', 'parameters', 'first', 'second'] as const) {
    expect(Object.keys(gpu[kind])).toEqual(Object.keys(cpu[kind]));
    for (const [name, values] of Object.entries(cpu[kind])) {
      expectClose(`${kind} ${name}`, gpu[kind][name], values, { absolute: 1e-5 });
    }
  }
}, 120_000);
