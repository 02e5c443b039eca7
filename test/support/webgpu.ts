/**
 * Skips tests where no device webgpu is, unless it is required. `scripts/software-vulkan.sh` makes one on a machine without a
 * GPU.
 */
import { expect, type TestContext } from 'vitest';
import { probe } from '#wave/engine/probe.js';
import { isRequired } from './required-engines.js';

const found = probe({ engine: 'ort', device: 'webgpu' });

export async function needsWebgpu(skip: TestContext['skip']): Promise<void> {
  const { status, detail } = await found;
  if (isRequired('ort/webgpu')) expect(status, detail).toBe('ok');
  skip(status !== 'ok', `webgpu is ${status} here: ${detail}`);
}
