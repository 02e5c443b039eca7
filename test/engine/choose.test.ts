/** Which device `auto` becomes, on machines of all kinds. */
import { describe, expect, it } from 'vitest';
import { type ChooseOptions, chooseDevice } from '#wave/engine/choose.js';
import type { ProbeOptions, ProbeTarget } from '#wave/engine/probe.js';

/** GFLOP/s of the devices that work; what is wrong with the others. */
type Machine = Readonly<Record<string, number | string>>;

function on(machine: Machine) {
  const tried: string[] = [];
  const tryTarget: ChooseOptions['tryTarget'] = async ({ engine, device }: ProbeTarget, options?: ProbeOptions) => {
    expect(options).toMatchObject({ speed: true });
    tried.push(device);
    const found = machine[device];
    return typeof found === 'number'
      ? { engine, device, status: 'ok', detail: 'computed', speed: found * 1e9 }
      : { engine, device, status: 'not available', detail: found ?? 'absent', fix: 'buy one' };
  };
  return { tried, tryTarget };
}

describe('the device of engine ort', () => {
  it('is the CPU, untried, where nothing else works', async () => {
    const { tried, tryTarget } = on({ webgpu: 'No adapter', cuda: 'no library' });
    const { device, text } = await chooseDevice('ort', { tryTarget });
    expect(device).toBe('cpu');
    expect(text).toBe('device: ort/cpu (ort/webgpu: not available: No adapter; ort/cuda: not available: no library)');
    expect(tried).toEqual(['webgpu', 'cuda']);
  });

  it('is a GPU that is faster than the CPU', async () => {
    const { device, text } = await chooseDevice('ort', on({ cpu: 210, webgpu: 4321, cuda: 'no library' }));
    expect(device).toBe('webgpu');
    expect(text).toBe('device: ort/webgpu (4321 GFLOP/s; ort/cpu: 210 GFLOP/s; ort/cuda: not available: no library)');
  });

  it('is the fastest of several GPUs', async () => {
    expect((await chooseDevice('ort', on({ cpu: 210, webgpu: 4000, cuda: 9000 }))).device).toBe('cuda');
  });

  it.each([0.4, 200, 300])('is the CPU of 210 GFLOP/s where a driver reaches %d', async (webgpu) => {
    const { device, text } = await chooseDevice('ort', on({ cpu: 210, webgpu }));
    expect(device).toBe('cpu');
    expect(text).toMatch(/^device: ort\/cpu \(210 GFLOP\/s; ort\/webgpu: [\d.]+ GFLOP\/s; ort\/cuda: not available/);
  });

  it('is a GPU, however slow, where the CPU does not work', async () => {
    const { device, text } = await chooseDevice('ort', on({ cpu: 'crashed', webgpu: 5 }));
    expect(device).toBe('webgpu');
    expect(text).toContain('ort/cpu: not available: crashed');
  });

  it('is one that does steps in parts where that is asked for', async () => {
    const { tried, tryTarget } = on({ cpu: 210, webgpu: 4321 });
    const { device, text } = await chooseDevice('ort', { tryTarget, accumulate: true });
    expect(device).toBe('cpu');
    expect(text).toContain('ort/webgpu: does no steps in parts (train.accumulate)');
    expect(tried).toEqual([]);
  });
});

describe('the device of engine tensorflow', () => {
  it('is one of its own', async () => {
    const { tried, tryTarget } = on({ cpu: 100, gpu: 5000 });
    expect((await chooseDevice('tensorflow', { tryTarget })).text).toBe(
      'device: tensorflow/gpu (5000 GFLOP/s; tensorflow/cpu: 100 GFLOP/s)',
    );
    expect(tried).toEqual(['gpu', 'cpu']);
  });
});

it('is found on this machine, too', async () => {
  const { device, results } = await chooseDevice('ort', { threads: 1 });
  expect(['cpu', 'webgpu', 'cuda']).toContain(device);
  expect(results.map((result) => result.device)).toEqual(expect.arrayContaining(['webgpu', 'cuda']));
});
