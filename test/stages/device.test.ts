/** What becomes of `engine.device: auto` in a run, in a resumed one and in a pipeline. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as choosing from '#wave/engine/choose.js';
import { withDevice } from '#wave/stages/device.js';
import { withDevices } from '#wave/stages/pipeline/devices.js';
import type { Pipeline, Task } from '#wave/stages/pipeline/tasks.js';
import { predict } from '#wave/stages/predict.js';
import { pretrain } from '#wave/stages/pretrain.js';
import { fixture } from '../model/support.js';
import { context, pico } from './support.js';

vi.mock('#wave/engine/choose.js', async (original) => ({
  ...(await original<typeof choosing>()),
  chooseDevice: vi.fn(),
}));
const chooseDevice = vi.mocked(choosing.chooseDevice);
const willBe = (device: string) =>
  chooseDevice.mockImplementation(async (engine) => ({
    device,
    text: `device: ${engine}/${device} (why)`,
    results: [],
  }));
beforeEach(() => {
  chooseDevice.mockReset();
  willBe('cpu');
});

const root = mkdtempSync(join(tmpdir(), 'wave-device-'));
afterAll(() => rmSync(root, { recursive: true }));
const out = (name: string, resume = false) => ({ dir: join(root, name), force: false, resume });
const auto = (changes: object = {}) => pico({ engine: { threads: 1, device: 'auto' }, ...changes });
const notes = (told: ReturnType<typeof context>) =>
  told.events.flatMap((event) => (event.type === 'note' ? [event.text] : []));

describe('a run', () => {
  it('tells the device that was chosen, and records it in place of auto', async () => {
    const told = context();
    const result = await pretrain(auto({ train: { steps: 2, epochs: null } }), out('run'), told);
    expect(result).toMatchObject({ engine: 'ort', device: 'cpu' });
    expect(notes(told)[0]).toBe('device: ort/cpu (why)');
    expect(chooseDevice).toHaveBeenCalledExactlyOnceWith('ort', { accumulate: false, threads: 1 });
    expect(readFileSync(join(root, 'run', 'config.resolved.yaml'), 'utf8')).toMatch(/device: cpu/);
  });

  it('keeps its device when it is gone on with, although another one is faster now', async () => {
    const stopping = context((event, stop) => event.type === 'step' && stop());
    await expect(pretrain(auto(), out('stopped'), stopping)).rejects.toThrow(/--resume/);
    chooseDevice.mockClear();
    willBe('webgpu');
    const told = context();
    expect((await pretrain(auto(), out('stopped', true), told)).device).toBe('cpu');
    expect(chooseDevice).not.toHaveBeenCalled();
    expect(notes(told)[0]).toBe('device: ort/cpu (that of the run which is gone on with)');
  });

  it('does not choose where the device is named', async () => {
    const config = pico();
    expect(await withDevice(config, context())).toBe(config);
    expect(chooseDevice).not.toHaveBeenCalled();
  });

  it('asks for a device that does steps in parts where it has such steps', async () => {
    await withDevice(auto({ train: { accumulate: 2 } }), context());
    expect(chooseDevice).toHaveBeenCalledWith('ort', { accumulate: true, threads: 1 });
  });

  it('chooses for predictions, too', async () => {
    const model = fixture('timm-small-token.safetensors');
    const told = context();
    await expect(
      predict({ model, heads: 3, inputs: [model], top: 1, engine: { device: 'auto' } }, told),
    ).rejects.toThrow(/input/);
    expect(notes(told)).toContain('device: ort/cpu (why)');
  });
});

describe('a pipeline', () => {
  const task = (config: object): Task => ({ config }) as Task;
  const pipeline = (...tasks: Task[]): Pipeline => ({ file: '', out: '', targets: [], stages: [], tasks });
  const engine = (device: string, name = 'ort') => ({ name, device, threads: null });
  const devices = async (...configs: object[]) => {
    const { tasks } = await withDevices(pipeline(...configs.map(task)), context());
    return tasks.map(({ config }) => (config as { engine?: { device: string } }).engine?.device);
  };

  it('chooses once for all its stages, and leaves the others alone', async () => {
    willBe('webgpu');
    const found = await devices(
      { engine: engine('auto') },
      { engine: engine('cpu') },
      { method: 'wave' },
      { engine: engine('auto') },
    );
    expect(found).toEqual(['webgpu', 'cpu', undefined, 'webgpu']);
    expect(chooseDevice).toHaveBeenCalledTimes(1);
  });

  it('chooses for each engine by itself', async () => {
    chooseDevice.mockImplementation(async (name) => {
      return { device: name === 'ort' ? 'webgpu' : 'gpu', text: '', results: [] };
    });
    expect(await devices({ engine: engine('auto') }, { engine: engine('auto', 'tensorflow') })).toEqual([
      'webgpu',
      'gpu',
    ]);
  });

  it('takes a device that every stage can use', async () => {
    await devices({ engine: engine('auto') }, { engine: engine('auto'), train: { accumulate: 4 } });
    expect(chooseDevice).toHaveBeenCalledExactlyOnceWith('ort', { accumulate: true });
  });

  it('chooses nothing where no stage asks for it', async () => {
    const given = pipeline(task({ engine: engine('cpu') }));
    expect(await withDevices(given, context())).toBe(given);
    expect(chooseDevice).not.toHaveBeenCalled();
  });
});
