/**
 * Skips tests where no device webgpu is. `scripts/software-vulkan.sh` makes one on a machine without a GPU. Where
 * WAVE_REQUIRE_ENGINES lists `ort/webgpu` there has to be one, so that tests are not left out unnoticed.
 */
import { expect, type TestContext } from 'vitest';
import { probe } from '#wave/engine/probe.js';

const required = (process.env.WAVE_REQUIRE_ENGINES ?? '').split(',').includes('ort/webgpu');
const found = probe({ engine: 'ort', device: 'webgpu' });

export async function needsWebgpu(skip: TestContext['skip']): Promise<void> {
  const { status, detail } = await found;
  if (required) expect(status, detail).toBe('ok');
  skip(status !== 'ok', `webgpu is ${status} here: ${detail}`);
}
