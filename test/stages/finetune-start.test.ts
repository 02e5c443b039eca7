/** What fine-tuning starts from: checkpoints, templates and scalers, heads old and new, and what does not fit. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError } from '#wave/base/errors.js';
import { expectKind, openSafetensors, sha256File, writeSafetensors } from '#wave/checkpoint/index.js';
import { loadModel } from '#wave/model/load.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { saveModel } from '#wave/model/save.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { finetune } from '#wave/stages/finetune.js';
import { runFolder } from '#wave/stages/run-folder.js';
import { materialiseValues, randomScalers, randomTemplates, saveScalers, saveTemplates } from '#wave/wave/index.js';
import { change, LINEAGE, OTHER, SAME, settings, setUp } from './finetune-support.js';
import { context } from './support.js';

const { root, ancestor, known, fresh, resumed, bytes, run } = await setUp('finetune-start');

const parentsOf = async (path: string) => {
  const file = await openSafetensors(path);
  const info = expectKind(file, 'model');
  await file.close();
  return info.lineage?.parents;
};

describe('a checkpoint', () => {
  it('refers to the model that it started from', async () => {
    const { result } = await run('lineage', {});
    expect(await parentsOf(result.model)).toEqual([{ name: 'model', sha256: await sha256File(ancestor) }]);
  });

  it('takes a checkpoint that says nothing about itself', async () => {
    const bare = join(root, 'bare.safetensors');
    const tensors = [...parameterShapes(known.spec)].map(
      ([name, shape]) => [name, { dtype: 'F32', shape, data: known.values.get(name) as Float32Array }] as const,
    );
    await writeSafetensors(bare, tensors);
    await finetune(settings({}), { model: bare, heads: 2 }, fresh('bare'), context());
    const described = await run('described', {});
    expect((await loadModel(runFolder(join(root, 'bare')).model)).values).toEqual(described.values);
  });
});

describe('the head', () => {
  const label = (classes: number) => ({ ...known.spec, labels: Array.from({ length: classes }, (_, i) => `c${i}`) });
  const start = async (changes: object, data: object) => {
    const path = join(root, 'labelled.safetensors');
    await saveModel(path, { spec: label(4), values: known.values, lineage: LINEAGE });
    const told = context();
    // So slow that everything stays where it starts.
    const config = settings({ steps: 1, lr: 1e-12, min_lr: 0, weight_decay: 0, ...changes }, data);
    const result = await finetune(config, { model: path }, { ...fresh('head'), force: true }, told);
    const notes = told.events.flatMap((event) => (event.type === 'note' ? [event.text] : []));
    return { result, notes, ...(await loadModel(result.model)) };
  };
  it('is kept when the numbers of classes agree, with the names of the classes', async () => {
    const { result, notes, spec, values } = await start({}, SAME);
    expect({ head: result.head, notes }).toEqual({ head: 'kept', notes: ['head: kept, 4 classes'] });
    expect(spec).toEqual(label(4));
    expect(change('head.weight', values, known.values)).toBeLessThan(1e-9);
  });

  it('is new when they do not: small random weights, no bias, no names', async () => {
    const { result, notes, spec, values } = await start({}, OTHER);
    expect({ head: result.head, notes }).toEqual({ head: 'new', notes: ['head: new, 6 classes (the model has 4)'] });
    expect(spec).toEqual({ ...known.spec, classes: 6 });
    const weights = values.get('head.weight') as Float32Array;
    const deviation = Math.sqrt(weights.reduce((sum, value) => sum + value * value, 0) / weights.length);
    expect(deviation).toBeGreaterThan(0.015);
    expect(deviation).toBeLessThan(0.025);
    expect(Math.max(...(values.get('head.bias') as Float32Array).map(Math.abs))).toBeLessThan(1e-9);
    expect(change('blocks.1.mlp.fc2.weight', values, known.values)).toBeLessThan(1e-9);
  });

  it('can be replaced where it could be kept, and not be kept where it cannot', async () => {
    const { result, values } = await start({ head: 'replace' }, SAME);
    expect(result.head).toBe('new');
    expect(change('head.weight', values, known.values)).toBeGreaterThan(0.1);
    await expect(start({ head: 'keep' }, OTHER)).rejects.toThrow(
      /^train\.head: keep needs as many classes as the model has; .*labelled\.safetensors has 4, the data 6; use auto or replace$/,
    );
  });

  it('is warned of when it is new and frozen', async () => {
    const { told } = await run('random', { steps: 1, freeze: ['head'] });
    expect(told.events).toContainEqual({ type: 'warning', text: expect.stringMatching(/new and frozen/) });
  });
});

describe('templates and scalers', () => {
  const layout = { width: 16, count: 2, small_count: 1, kronecker: 'template-outer' } as const;
  const path = (name: string) => join(root, `${name}.safetensors`);
  const inputs = { templates: path('templates'), scalers: path('scalers') };
  const spec = () => ({ ...known.spec, depth: 3 });
  const save = async (to: string, more: ReadonlyMap<string, Float32Array>, model: ModelSpec, templates: string) => {
    const values = new Map([...randomScalers(model, layout, 2), ...more]);
    const stored = { model, templates: layout, templates_sha256: await sha256File(templates) };
    await saveScalers(to, { spec: stored, values, lineage: LINEAGE });
    return values;
  };
  let bank: Map<string, Float32Array>;

  beforeAll(async () => {
    bank = randomTemplates(known.spec, layout, 1);
    await saveTemplates(inputs.templates, {
      spec: { model: known.spec, templates: layout },
      values: bank,
      lineage: LINEAGE,
    });
  });

  it('train as the model does that they make', async () => {
    const scalers = await save(inputs.scalers, new Map(), spec(), inputs.templates);
    const values = materialiseValues(spec(), layout, new Map([...bank, ...scalers]));
    await saveModel(path('made'), { spec: spec(), values, lineage: LINEAGE });
    const one = await finetune(settings({}), inputs, fresh('parts'), context());
    const other = await finetune(settings({}), { model: path('made') }, fresh('made'), context());
    const [found, expected] = [await loadModel(one.model), await loadModel(other.model)];
    expect({ spec: found.spec, values: found.values }).toEqual({ spec: expected.spec, values: expected.values });
    const hashes = [await sha256File(inputs.templates), await sha256File(inputs.scalers)];
    expect(await parentsOf(one.model)).toEqual([
      { name: 'templates', sha256: hashes[0] },
      { name: 'scalers', sha256: hashes[1] },
    ]);
  });

  it('bring a head of their own', async () => {
    const own = new Map([
      ['own.head.weight', Float32Array.from({ length: 6 * 32 }, (_, i) => i / 1000)],
      ['own.head.bias', Float32Array.of(1, 2, 3, 4, 5, 6)],
    ]);
    await save(path('own'), own, { ...spec(), classes: 6 }, inputs.templates);
    const still = settings({ steps: 1, lr: 1e-12, min_lr: 0, weight_decay: 0 });
    const result = await finetune(still, { ...inputs, scalers: path('own') }, fresh('own'), context());
    expect(result.head).toBe('kept');
    const { values } = await loadModel(result.model);
    expect(values.get('head.bias')).toEqual(own.get('own.head.bias'));
    const before = new Map([['head.weight', own.get('own.head.weight') as Float32Array]]);
    expect(change('head.weight', values, before)).toBeLessThan(1e-9);
  });

  it('that were not made for each other are refused', async () => {
    await save(path('foreign'), new Map(), spec(), ancestor);
    const refused = finetune(settings({}), { ...inputs, scalers: path('foreign') }, fresh('foreign'), context());
    await expect(refused).rejects.toThrow(/foreign\.safetensors: belongs to templates with sha256 [^\n]+$/);
    expect(existsSync(join(root, 'foreign'))).toBe(false);
  });
});

describe('what does not fit', () => {
  it('is a resumption from another model', async () => {
    const stopping = context((event, stop) => event.type === 'step' && stop());
    await expect(finetune(settings({}), { model: ancestor }, fresh('swap'), stopping)).rejects.toThrow(
      InterruptedError,
    );
    const other = runFolder(join(root, 'bare')).model;
    const before = bytes('swap', 'state');
    await expect(finetune(settings({}), { model: other }, resumed('swap'), context())).rejects.toThrow(
      /^[^\n]*state\.safetensors: was saved with another file as model; resume with what the run had[^\n]*$/,
    );
    expect(bytes('swap', 'state').equals(before)).toBe(true);
  });

  it.each(['ancestor/model.safetensors', 'ancestor'])(
    'is the folder of the model itself, given as %s',
    async (model) => {
      const out = { dir: join(root, 'ancestor'), force: true };
      const before = readFileSync(ancestor);
      await expect(finetune(settings({}), { model: join(root, model) }, out, context())).rejects.toThrow(
        new ConfigError(`${out.dir}: the run would replace model.safetensors, which it reads; choose another folder`),
      );
      expect(readFileSync(ancestor).equals(before)).toBe(true);
    },
  );

  it.each([['channels', 3, /is a model for images with 1 channel, those of the data have 3; choose another model$/]])(
    'is data with another %s',
    async (key, value, message) => {
      const data = { ...OTHER, synthetic: { ...OTHER.synthetic, [key]: value } };
      await expect(run('unfit', {}, data)).rejects.toThrow(message);
      expect(existsSync(join(root, 'unfit'))).toBe(false);
    },
  );

  it('is warned of where it only lowers the accuracy: pixels normalised in another way', async () => {
    const { told, spec } = await run('pixels', { steps: 1 }, { ...OTHER, mean: [0.1], std: [0.3] });
    const text =
      'the model was trained with mean [0.5], std [0.5], the data block has mean [0.1], std [0.3]' +
      ", which are used; for the model's: --set 'data.mean=[0.5]' --set 'data.std=[0.5]'";
    expect(told.events).toContainEqual({ type: 'warning', text });
    expect(spec.preprocess).toEqual({ mean: [0.1], std: [0.3] });
  });
});
