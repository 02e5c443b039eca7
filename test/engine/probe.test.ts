/** The probe tells working, absent and broken engines apart, and survives what drivers do. */
import { describe, expect, it } from 'vitest';
import { fixFor } from '#wave/engine/fixes.js';
import { installedVersion } from '#wave/engine/installed-version.js';
import { probe } from '#wave/engine/probe.js';
import { probeData, probeModel } from '#wave/engine/probe-model.js';

const child = new URL('./fixtures/bad-driver.mjs', import.meta.url);

describe('probe', () => {
  it('runs the model on the default engine', async () => {
    expect(await probe({ engine: 'ort', device: 'cpu' })).toEqual({
      engine: 'ort',
      device: 'cpu',
      status: 'ok',
      detail: expect.stringMatching(/^computed a matrix product in \d+ ms$/),
    });
  });

  it('measures how fast the default engine is, if asked', async () => {
    const { detail, speed = 0 } = await probe({ engine: 'ort', device: 'cpu' }, { speed: true, threads: 1 });
    expect(speed).toBeGreaterThan(1e8);
    expect(detail).toMatch(/^computed a matrix product in \d+ ms; [\d.]+ GFLOP\/s$/);
  });

  it('does not find a device that no machine has', async () => {
    const { status, detail } = await probe({ engine: 'ort', device: 'abacus' });
    expect(status).toBe('not available');
    expect(detail).toContain('abacus');
  });

  it.each([
    ['hang', 'broken', 'no answer within 0.3 s'],
    ['abort', 'broken', 'crashed with SIGABRT: vulkan: lost the device'],
    ['quit', 'broken', 'ended with code 7'],
    ['wrong', 'broken', 'the product of two 4 x 4 matrices came out wrong'],
    ['noisy', 'not available', 'No adapter'],
  ])('survives a driver that does this: %s', async (device, status, detail) => {
    const options = device === 'hang' ? { child, timeout: 300 } : { child };
    const fix = 'see wave doctor';
    expect(await probe({ engine: 'ort', device }, options)).toEqual({ engine: 'ort', device, status, detail, fix });
  });
});

describe('fixFor', () => {
  it.each([
    ['ort/webgpu', "Couldn't load Vulkan: libvulkan.so.1\nNo supported adapters", 'apt-get install libvulkan1'],
    ['ort/webgpu', 'Failed to get a WebGPU adapter: No supported adapters', 'install the GPU driver with Vulkan'],
    ['ort/webgpu', 'crashed with SIGSEGV', "update the GPU's driver"],
    ['ort/cuda', 'cuda backend not found', 'needs Linux on x64'],
    ['ort/cuda', 'libonnxruntime_providers_shared.so: cannot open', '--onnxruntime-node-install=cuda12'],
    ['ort/cuda', 'libonnxruntime_providers_cuda.so: libcublasLt.so.12: cannot open', 'install CUDA 12'],
    ['ort/cuda', 'CUDA failure 100: no CUDA-capable device is detected', 'nvidia-smi'],
    ['tensorflow/cpu', 'needs the package, which is not installed', 'npm run tensorflow:setup (Linux on x64; '],
    ['tensorflow/cpu', 'cannot be loaded (no such file)', 'npm run tensorflow:setup (Linux on x64; '],
    ['tensorflow/gpu', 'needs the package, which is not installed', 'tensorflow:setup -- --cuda'],
    ['tensorflow/gpu', 'its library found cpu only', 'tensorflow:setup -- --cuda'],
    ['ort/cpu', 'crashed with SIGILL', 'npm install --force onnxruntime-node'],
  ])('says what helps %s after: %s', (name, said, fix) => {
    const [engine, device] = name.split('/') as ['ort', string];
    expect(fixFor({ engine, device }, said)).toContain(fix);
  });
});

describe('installedVersion', () => {
  it('finds packages that hide their package.json behind exports', () => {
    expect(installedVersion('sharp')).toMatch(/^\d+\.\d+\.\d+/);
    expect(installedVersion('no-such-package')).toBeUndefined();
  });
});

describe('probe model', () => {
  it('computes the product that is expected', async () => {
    const { InferenceSession, Tensor } = await import('onnxruntime-node');
    const session = await InferenceSession.create(probeModel());
    const { a, b, c } = probeData();
    const output = await session.run({ a: new Tensor('float32', a, [4, 4]), b: new Tensor('float32', b, [4, 4]) });
    expect(output.c.dims).toEqual([4, 4]);
    expect(output.c.data).toEqual(c);
  });

  it('has a product by which a transposed operand would be noticed', () => {
    const { a, b, c } = probeData();
    const transposed = b.map((_, i) => b[(i % 4) * 4 + Math.floor(i / 4)]);
    const other = c.map((_, i) => {
      const row = Math.floor(i / 4);
      return [0, 1, 2, 3].reduce((sum, k) => sum + a[row * 4 + k] * transposed[k * 4 + (i % 4)], 0);
    });
    expect(other).not.toEqual(c);
  });
});
