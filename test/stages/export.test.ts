/** Exports are opened again as strangers' files, and what a format cannot hold is said before anything is written. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openSafetensors, writeSafetensors } from '#wave/checkpoint/index.js';
import { timmFormat } from '#wave/model/export/timm.js';
import { loadModel } from '#wave/model/load.js';
import { checkExport, exportModel } from '#wave/stages/export.js';
import { initTarget } from '#wave/stages/init.js';
import { type LoadedScalers, loadScalers, loadTemplates, materialiseValues } from '#wave/wave/index.js';
import { saveBank } from '../init/support.js';
import { SMALL, saved, valuesOf } from './export-support.js';
import { context } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-export-'));
afterAll(() => rmSync(root, { recursive: true }));
let dir: string;
let folder: string;
let count = 0;

beforeEach(() => {
  folder = join(root, `model-${++count}`);
  dir = join(root, `out-${count}`);
});

const out = (force = false) => ({ dir, force });
const timm = { format: 'timm' };
const hf = { format: 'hf' };

describe('preprocessing', () => {
  it('is missing in timm with a warning, and refused for Hugging Face', async () => {
    const { preprocess: _, ...spec } = SMALL;
    const model = await saved(folder, spec);
    const told = context();
    await exportModel(model, timm, out(), told);
    expect(told.events).toContainEqual({ type: 'warning', text: expect.stringContaining('has no mean and std') });
    expect((await loadModel(dir)).spec).toEqual(spec);
    dir = join(root, 'none');
    await expect(exportModel(model, hf, out(), context())).rejects.toThrow(
      /does not say how its images are normalised/,
    );
    expect(existsSync(dir)).toBe(false);
  });

  it('can be said', async () => {
    const { preprocess: _, ...spec } = SMALL;
    const preprocess = { mean: [0.5], std: [0.1, 0.2, 0.3], cropPct: 0.5, resizeMode: 'squash' } as const;
    await exportModel(await saved(folder, spec), { ...hf, preprocess }, out(), context());
    expect((await loadModel(dir)).spec.preprocess).toEqual({
      mean: [0.5, 0.5, 0.5],
      std: [0.1, 0.2, 0.3],
      resize: [32, 48],
      resize_mode: 'squash',
      interpolation: 'bicubic',
    });
  });

  it('is refused for Hugging Face where no processor covers two sizes', async () => {
    const spec = { ...SMALL, preprocess: { mean: [0.5], std: [0.5], resize: [20, 30] as [number, number] } };
    const done = exportModel(await saved(folder, spec), hf, out(), context());
    await expect(done).rejects.toThrow(/cover 20x30, which no image processor of transformers does/);
  });

  it('of one share for both sides is asked of timm, and another one only told', async () => {
    const told = context();
    const preprocess = { mean: [0.5], std: [0.5], resize: [32, 32] as [number, number] };
    await exportModel(await saved(folder, { ...SMALL, preprocess }), timm, out(), told);
    // 32x32 for 16x24 is half a side here and three quarters there.
    expect(told.events).toContainEqual({
      type: 'warning',
      text: 'timm cannot resize images to 32x32 for an input of 16x24; config.json says 32x48',
    });
    expect((await loadModel(dir)).spec.preprocess?.resize).toEqual([32, 48]);
  });
});

describe('an odd margin of the crop', () => {
  // transformers begins at floor(margin / 2), torchvision at the even one of the two: they differ by turns.
  it.each([
    [3, 1],
    [1, 0],
    [2, 0],
    [0, 0],
  ])('of %i pixels is told %i times for Hugging Face', async (margin, times) => {
    const preprocess = { mean: [0.5], std: [0.5] };
    const [height, width] = SMALL.image;
    const resize: [number, number] = [height + margin, width + margin];
    const model = await saved(folder, { ...SMALL, preprocess: { ...preprocess, resize, resize_mode: 'squash' } });
    const { warnings } = await checkExport(model, hf, out());
    expect(warnings).toHaveLength(times);
    for (const warning of warnings) expect(warning).toMatch(/its crop lies one pixel beside/);
  });
});

describe('epsilon', () => {
  it('of another size than timm has is measured', async () => {
    const spec = { ...SMALL, eps: 1e-3 };
    const told = context();
    const { epsilonChange } = await exportModel(await saved(folder, spec), timm, out(), told);
    expect(epsilonChange?.largest).toBeGreaterThan(1e-5);
    expect(epsilonChange?.largest).toBeLessThan(0.1);
    expect(epsilonChange?.scale).toBeGreaterThan(0.1);
    const text = expect.stringMatching(
      /^layer norms of timm always have epsilon 0.000001, those of the model 0.001: .* change by up to \d/,
    );
    expect(told.events).toContainEqual({ type: 'warning', text });
  });

  it('of the same size changes nothing', async () => {
    const told = context();
    expect(await exportModel(await saved(folder, SMALL), timm, out(), told)).not.toHaveProperty('epsilonChange');
    expect(told.events.filter(({ type }) => type === 'warning')).toEqual([]);
  });
});

describe('the folder', () => {
  it('holds the files that are told, of F32 tensors marked as those of PyTorch', async () => {
    const result = await exportModel(await saved(folder, SMALL), hf, out(), context());
    expect(result.files).toEqual(['model.safetensors', 'preprocessor_config.json', 'config.json']);
    expect(readdirSync(dir).sort()).toEqual([...result.files].sort());
    expect(result.bytes).toBe(result.files.reduce((sum, name) => sum + readFileSync(join(dir, name)).length, 0));
    const file = await openSafetensors(dir);
    expect(Object.fromEntries(file.metadata)).toEqual({ format: 'pt' });
    expect(new Set([...file.tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['F32']));
    await file.close();
  });

  it('that holds an export needs force, and then keeps nothing of it', async () => {
    const model = await saved(folder, SMALL);
    await exportModel(model, hf, out(), context());
    writeFileSync(join(dir, 'notes.txt'), 'mine');
    await expect(exportModel(model, timm, out(), context())).rejects.toThrow(
      /holds model.safetensors already; .*--force/,
    );
    const { replaces } = await checkExport(model, timm, out(true));
    expect(replaces).toEqual(['model.safetensors', 'config.json', 'preprocessor_config.json']);
    await exportModel(model, timm, out(true), context());
    // transformers' statement on images would speak for timm's folder.
    expect(readdirSync(dir).sort()).toEqual(['config.json', 'model.safetensors', 'notes.txt']);
  });

  it('of the model itself is refused even with force', async () => {
    const model = await saved(folder, SMALL);
    const link = join(root, `link-${count}`);
    symlinkSync(folder, link);
    for (const source of [model, folder, link]) {
      dir = folder;
      await expect(exportModel(source, timm, out(true), context())).rejects.toThrow(
        /is read from; choose another folder/,
      );
    }
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('cannot be a file', async () => {
    const model = await saved(folder, SMALL);
    dir = model;
    await expect(exportModel(folder, timm, out(), context())).rejects.toThrow(/cannot be used as output folder/);
  });

  it('is not made by a check', async () => {
    const summary = await checkExport(await saved(folder, SMALL), timm, out());
    expect(summary).toMatchObject({ format: 'timm', dir, files: ['model.safetensors', 'config.json'], replaces: [] });
    expect(summary.warnings).toEqual([]);
    expect(existsSync(dir)).toBe(false);
  });

  it('stays as it is when the user stops', async () => {
    const told = context();
    told.stop();
    await expect(exportModel(await saved(folder, SMALL), timm, out(), told)).rejects.toThrow(/nothing was written/);
    expect(existsSync(dir)).toBe(false);
  });

  it('holds nothing when the model cannot be written', async () => {
    const model = await saved(folder, SMALL);
    mkdirSync(join(dir, 'config.json'), { recursive: true });
    await expect(exportModel(model, timm, out(true), context())).rejects.toThrow(/cannot be used as output folder/);
    expect(readdirSync(dir)).toEqual(['config.json']);
  });
});

describe('what is read back', () => {
  const model = { spec: { ...SMALL, image: [16, 16] as [number, number] }, values: new Map<string, Float32Array>() };

  it('must be the same to the bit', async () => {
    const values = valuesOf(model.spec);
    const plan = timmFormat.plan(model.spec, 'm', {});
    mkdirSync(dir);
    await timmFormat.write(dir, { ...model, values }, plan, {});
    await timmFormat.verify(dir, { ...model, values }, plan, {});
    const file = await openSafetensors(dir);
    const tensors = new Map<string, { dtype: 'F32'; shape: readonly number[]; data: Float32Array }>();
    for (const [name, { shape }] of file.tensors)
      tensors.set(name, { dtype: 'F32', shape, data: await file.readFloat32(name) });
    await file.close();
    const bias = tensors.get('head.bias')?.data as Float32Array;
    bias[0] = -(bias[0] as number);
    await writeSafetensors(join(dir, 'model.safetensors'), tensors);
    await expect(timmFormat.verify(dir, { ...model, values }, plan, {})).rejects.toThrow(/head.bias has other values/);
  });

  it('must have the same spec', async () => {
    const values = valuesOf(model.spec);
    const plan = timmFormat.plan(model.spec, 'm', {});
    mkdirSync(dir);
    await timmFormat.write(dir, { ...model, values }, plan, {});
    const path = join(dir, 'config.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"num_heads": 3', '"num_heads": 4'));
    await expect(timmFormat.verify(dir, { ...model, values }, plan, {})).rejects.toThrow(/heads is 4, expected 3/);
  });
});

it.each(['timm', 'hf'])('names that libraries give to classes without one are no names (%s)', async (format) => {
  const labels = Array.from({ length: SMALL.classes }, (_, id) => `LABEL_${id}`);
  await exportModel(await saved(folder, { ...SMALL, labels }), { format }, out(), context());
  expect((await loadModel(dir)).spec).not.toHaveProperty('labels');
});

it.each(['timm', 'hf'])('names of classes go along, also where two are the same (%s)', async (format) => {
  const labels = ['crane', 'crane', '0', '__proto__', 'a "b"'];
  await exportModel(await saved(folder, { ...SMALL, labels }), { format }, out(), context());
  expect((await loadModel(dir)).spec.labels).toEqual(labels);
});

it('a target of a bank is exported in one call', async () => {
  const files = await saveBank(folder);
  const scalers = join(folder, 'target', 'scalers.safetensors');
  await initTarget(
    { method: 'wave', depth: 3, width: 32, templates: files.templates },
    { path: scalers, force: false },
    context(),
  );
  await exportModel({ templates: files.templates, scalers }, timm, out(), context());
  const [bank, loaded]: [Awaited<ReturnType<typeof loadTemplates>>, LoadedScalers] = [
    await loadTemplates(files.templates),
    await loadScalers(scalers),
  ];
  const { model: spec, templates: layout } = loaded.spec;
  const read = await loadModel(dir);
  expect(read.spec).toMatchObject({ depth: 3, width: 32 });
  expect(read.values).toEqual(materialiseValues(spec, layout, new Map([...bank.values, ...loaded.values])));
});

it.each(['nope', 'TIMM'])('there is no format %s', async (format) => {
  await expect(exportModel(await saved(folder, SMALL), { format }, out(), context())).rejects.toThrow(
    /format must be one of timm, hf/,
  );
});
