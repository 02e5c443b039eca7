import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, InterruptedError, ModelError } from '#wave/base/errors.js';
import {
  CheckpointError,
  openSafetensors,
  readArtifactInfo,
  sha256File,
  writeSafetensors,
} from '#wave/checkpoint/index.js';
import { initialise } from '#wave/model/initialise.js';
import { loadModel } from '#wave/model/load.js';
import { parameterCount, parameterShapes } from '#wave/model/parameters.js';
import { saveModel } from '#wave/model/save.js';
import { type InitOptions, initTarget } from '#wave/stages/init.js';
import {
  inheritScalers,
  loadScalers,
  loadTemplates,
  materialiseValues,
  randomScalers,
  saveScalers,
  targetSpec,
} from '#wave/wave/index.js';
import { ANCESTOR, ancestorInputs, type BankFiles, bankInputs, LAYOUT, saveBank } from '../init/support.js';
import { context } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-init-'));
afterAll(() => rmSync(root, { recursive: true }));
const SIZE = { depth: 4, width: 32 };
let files: BankFiles;
let out: string;
let count = 0;

beforeAll(async () => {
  files = await saveBank(root);
});
beforeEach(() => {
  out = join(root, `out-${count++}`, 'target.safetensors');
});

const init = (options: Partial<InitOptions>, told = context(), force = false) =>
  initTarget({ method: 'wave', ...SIZE, ...options }, { path: out, force }, told);

const fromTemplates = (options: Partial<InitOptions> = {}) => init({ templates: files.templates, ...options });

async function infoOf(path: string) {
  const file = await openSafetensors(path);
  await file.close();
  return readArtifactInfo(file);
}

const parent = async (name: keyof BankFiles) => ({ name, sha256: await sha256File(files[name]) });

describe('wave', () => {
  const target = targetSpec({ model: ANCESTOR, templates: LAYOUT }, SIZE);

  it('writes scalers inherited from those beside the templates', async () => {
    const result = await fromTemplates();
    const { spec, values } = await loadScalers(out);
    const templatesSha256 = await sha256File(files.templates);
    expect(spec).toEqual({ model: target, templates: LAYOUT, templates_sha256: templatesSha256 });
    expect(values).toEqual(inheritScalers(ANCESTOR, target, LAYOUT, bankInputs().scalers.values));
    const sum = (map: ReadonlyMap<string, Float32Array>) => [...map.values()].reduce((n, { length }) => n + length, 0);
    expect(result).toEqual({
      path: out,
      kind: 'scalers',
      method: 'wave',
      depth: 4,
      width: 32,
      heads: 8,
      parameters: parameterCount(target),
      scalers: sum(values),
      transferred: sum(bankInputs().templates),
      share: sum(bankInputs().templates) / parameterCount(target),
      seconds: expect.any(Number),
    });
  });

  it('writes the weights that these scalers make with materialise', async () => {
    const result = await fromTemplates({ materialise: true });
    const { spec, values } = await loadModel(out);
    expect(spec).toEqual(target);
    const scalers = inheritScalers(ANCESTOR, target, LAYOUT, bankInputs().scalers.values);
    expect(values).toEqual(materialiseValues(target, LAYOUT, new Map([...bankInputs().templates, ...scalers])));
    expect(result).toMatchObject({ kind: 'model', scalers: expect.any(Number) });
  });

  it('names templates and scalers as parents', async () => {
    await fromTemplates({ seed: 5 });
    expect((await infoOf(out))?.lineage).toMatchObject({
      command: 'wave test',
      parents: [await parent('templates'), await parent('scalers')],
      seed: 5,
      engine: 'host',
    });
  });

  it('draws random scalers with start: random, others for another seed', async () => {
    await fromTemplates({ options: { start: 'random' }, seed: 7 });
    const { values } = await loadScalers(out);
    const { scalers } = bankInputs();
    expect(values).toEqual(randomScalers(target, LAYOUT, 7, scalers));
    expect(values).not.toEqual(randomScalers(target, LAYOUT, 8, scalers));
  });

  it('inherits from the scalers that are given, those of another target for example', async () => {
    const first = out;
    await fromTemplates({ depth: 3, width: 16 });
    out = join(root, 'second.safetensors');
    await fromTemplates({ scalers: first });
    const small = await loadScalers(first);
    const { values } = await loadScalers(out);
    expect(values).toEqual(inheritScalers(small.spec.model, target, LAYOUT, small.values));
  });

  it('needs scalers to inherit from, and none to be random', async () => {
    const templates = join(mkdtempSync(join(root, 'alone-')), 'templates.safetensors');
    copyFileSync(files.templates, templates);
    await expect(init({ templates })).rejects.toThrow(/^start inherit needs the auxiliary model's scalers; [^\n]+$/);
    await init({ templates, options: { start: 'random' } });
    expect((await infoOf(out))?.lineage?.parents).toEqual([await parent('templates')]);
  });

  it('refuses scalers of other templates', async () => {
    const other = mkdtempSync(join(root, 'other-'));
    const { templates } = await saveBank(other, { ...LAYOUT, small_count: 1 });
    await expect(init({ templates, scalers: files.scalers })).rejects.toThrow(ConfigError);
    await expect(init({ templates, scalers: files.scalers })).rejects.toThrow(
      /scalers\.safetensors: belongs to templates with sha256 [0-9a-f]{12}\.\.\., [^\n]+$/,
    );
  });

  it('refuses scalers with a head of their own', async () => {
    const bank = await loadTemplates(files.templates);
    const values = new Map<string, Float32Array>([
      ...bankInputs().scalers.values,
      ['own.head.weight', new Float32Array(5 * 24)],
      ['own.head.bias', new Float32Array(5)],
    ]);
    const spec = { ...bank.spec, templates_sha256: bank.sha256 };
    const lineage = (await infoOf(files.templates))?.lineage;
    if (!lineage) throw new Error('the templates have no lineage');
    const scalers = join(root, 'own.safetensors');
    await saveScalers(scalers, { spec, values, lineage });
    await expect(fromTemplates({ scalers })).rejects.toThrow(/a head of its own, for 5 classes/);
  });

  it('names the nearest widths that the templates make', async () => {
    await expect(fromTemplates({ width: 30 })).rejects.toThrow(/^width 30 [^\n]+ nearest valid widths are 24 and 32$/);
  });

  it.each([
    [{}, 'method wave starts from a template bank; give --templates FILE'],
    [{ ancestor: 'a' }, 'method wave starts from a template bank; leave --ancestor out'],
    [{ templates: 't', ancestor: 'a' }, 'method wave starts from a template bank; leave --ancestor out'],
    [{ templates: 't', ancestorHeads: 3 }, 'method wave has no ancestor here; leave --ancestor-heads out'],
  ])('refuses %j', async (given, message) => {
    await expect(init(given)).rejects.toThrow(new ConfigError(message));
  });

  it('refuses files of another kind', async () => {
    const refused = init({ templates: files.ancestor, scalers: files.scalers });
    await expect(refused).rejects.toThrow(CheckpointError);
    await expect(refused).rejects.toThrow(/ancestor\.safetensors: is a model, expected a template bank; [^\n]+$/);
    await expect(fromTemplates({ scalers: files.templates })).rejects.toThrow(
      /templates\.safetensors: is a template bank, expected a set of scalers; [^\n]+$/,
    );
    await expect(fromTemplates({ scalers: join(root, 'nowhere') })).rejects.toThrow(/nowhere: [^\n]+$/);
  });
});

describe('weight-selection', () => {
  const select = (options: Partial<InitOptions> = {}) =>
    init({ method: 'weight-selection', ancestor: files.ancestor, depth: 2, width: 16, ...options });

  it('writes a model cut out of the ancestor', async () => {
    const result = await select();
    const { spec, values } = await loadModel(out);
    expect(spec).toEqual({ ...ANCESTOR, depth: 2, width: 16, heads: 4, hidden: 64 });
    const source = ancestorInputs().values.get('norm.weight') as Float32Array;
    expect(values.get('norm.weight')?.[15]).toBe(source[23]);
    const parameters = parameterCount(spec);
    expect(result).toMatchObject({ kind: 'model', parameters, transferred: parameters, share: 1 });
    expect(result).not.toHaveProperty('scalers');
    expect((await infoOf(out))?.lineage?.parents).toEqual([await parent('ancestor')]);
  });

  it('takes options', async () => {
    const result = await select({ options: { head: 'fresh' }, seed: 2 });
    const { spec, values } = await loadModel(out);
    expect(values.get('head.weight')).toEqual(initialise(spec, 2).get('head.weight'));
    expect(result.share).toBeLessThan(1);
  });

  it('reads a bare checkpoint when the heads of the ancestor are given', async () => {
    const bare = join(root, 'bare.safetensors');
    const { values } = ancestorInputs();
    const tensors = [...parameterShapes(ANCESTOR)].map(
      ([name, shape]) => [name, { dtype: 'F32', shape, data: values.get(name) as Float32Array }] as const,
    );
    await writeSafetensors(bare, tensors);
    await expect(select({ ancestor: bare })).rejects.toThrow(
      new ModelError(
        `${bare}: does not say how many attention heads it has, and there is no config.json beside it; copy it there, or give --ancestor-heads N`,
      ),
    );
    await expect(select({ ancestorHeads: 5 })).rejects.toThrow(
      'has 6 heads, --ancestor-heads says 5; leave --ancestor-heads out',
    );
    await select({ ancestor: bare, ancestorHeads: 6 });
    expect((await loadModel(out)).spec.heads).toBe(4);
  });

  it('takes other heads for the target', async () => {
    await select({ heads: 2 });
    expect((await loadModel(out)).spec.heads).toBe(2);
  });

  it.each([
    [{ depth: 4 }, 'depth 4: weight-selection makes at most depth 3, that of the ancestor'],
    [{ width: 28 }, 'width 28: weight-selection makes at most width 24, that of the ancestor'],
    [{ width: 18 }, 'width 18 is no multiple of the head size 4'],
  ])('refuses %j', async (size, message) => {
    await expect(select(size)).rejects.toThrow(ConfigError);
    await expect(select(size)).rejects.toThrow(message);
  });

  it.each([
    [{ ancestor: undefined }, 'method weight-selection starts from a trained model; give --ancestor FILE'],
    [{ templates: 't' }, 'method weight-selection starts from a trained model; leave --templates out'],
    [{ scalers: 's' }, 'method weight-selection starts from a trained model; leave --scalers out'],
  ])('refuses files %j', async (given, message) => {
    const { ancestor, ...others } = { ancestor: 'a', ...given };
    const chosen = ancestor === undefined ? others : { ancestor, ...others };
    await expect(init({ method: 'weight-selection', ...chosen } as InitOptions)).rejects.toThrow(
      new ConfigError(message),
    );
  });

  it('refuses wrong options, all of them at once', async () => {
    const wrong = select({ options: { qkv: 'both', heed: 'fresh' } });
    await expect(wrong).rejects.toThrow(ConfigError);
    await expect(wrong).rejects.toThrow(
      /^method weight-selection: options\.qkv: [^\n]+\nmethod weight-selection: options: [^\n]*heed[^\n]*$/,
    );
  });
});

describe('deit', () => {
  it('takes what is not a size from an ancestor or from templates, and gives the same', async () => {
    const start = (given: object) => init({ method: 'deit', depth: 5, width: 40, seed: 3, ...given });
    const result = await start({ ancestor: files.ancestor });
    const { spec, values } = await loadModel(out);
    expect(spec).toEqual({ ...ANCESTOR, depth: 5, width: 40, heads: 10, hidden: 160 });
    expect(values).toEqual(initialise(spec, 3));
    expect(result).toMatchObject({ transferred: 0, share: 0 });
    expect((await infoOf(out))?.lineage?.parents).toEqual([await parent('ancestor')]);
    out = join(root, 'deit.safetensors');
    await start({ templates: files.templates });
    expect(await loadModel(out)).toMatchObject({ spec, values });
    expect((await infoOf(out))?.lineage?.parents).toEqual([await parent('templates')]);
  });

  it.each([
    [{}, /^method deit takes images, patches and classes from a model: give one of/],
    [{ ancestor: 'a', templates: 't' }, /^method deit takes images, patches and classes from a model: give one of/],
    [{ ancestor: 'a', scalers: 's' }, /^method deit starts from random values; leave --scalers out$/],
  ])('refuses files %j', async (given, message) => {
    const refused = init({ method: 'deit', ...given });
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(message);
  });
});

it.each(['deit', 'weight-selection'])('%s has no scalers to materialise', async (method) => {
  await expect(init({ method, ancestor: files.ancestor, materialise: true })).rejects.toThrow(
    new ConfigError(`--materialise: ${method} always writes a model; leave it out`),
  );
});

describe('the file', () => {
  it('is the same for the same call', async () => {
    vi.stubEnv('SOURCE_DATE_EPOCH', '1700000000');
    try {
      await fromTemplates({ materialise: true });
      const first = readFileSync(out);
      await init({ templates: files.templates, materialise: true }, context(), true);
      expect(readFileSync(out).equals(first)).toBe(true);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('is not replaced without force', async () => {
    await fromTemplates();
    const before = readFileSync(out);
    await expect(fromTemplates({ materialise: true })).rejects.toThrow(
      new ConfigError(`${out}: is already there; --force replaces it`),
    );
    expect(readFileSync(out)).toEqual(before);
    await init({ templates: files.templates, materialise: true }, context(), true);
    expect((await infoOf(out))?.kind).toBe('model');
  });

  it('is never one of those that are read, nor a folder', async () => {
    out = files.scalers;
    const before = readFileSync(out);
    const reads = init({ templates: files.templates }, context(), true);
    await expect(reads).rejects.toThrow(new ConfigError(`${out}: is read by this command; name another file`));
    expect(readFileSync(out)).toEqual(before);
    out = join(root, 'folder');
    mkdirSync(out);
    await expect(fromTemplates()).rejects.toThrow(new ConfigError(`${out}: is a folder; name a file`));
    out = `${join(root, 'none')}/`;
    await expect(fromTemplates()).rejects.toThrow(new ConfigError(`${out}: names a folder; name a file`));
  });

  it.each([true, false])('is not there after an interruption (materialise: %s)', async (materialise) => {
    const told = context();
    told.stop();
    mkdirSync(join(out, '..'));
    await expect(init({ templates: files.templates, materialise }, told)).rejects.toThrow(InterruptedError);
    expect(readdirSync(join(out, '..'))).toEqual([]);
  });

  it('cannot be written below a file', async () => {
    writeFileSync(join(root, 'file'), '');
    out = join(root, 'file', 'target.safetensors');
    await expect(fromTemplates()).rejects.toThrow(CheckpointError);
  });
});

it('refuses an unknown method', async () => {
  await expect(init({ method: 'wafe' })).rejects.toThrow(/^method must be one of [^\n]+ \(did you mean wave\?\)$/);
});

it('saveModel writes the same from values and from a function that makes them', async () => {
  const { values } = ancestorInputs();
  const lineage = (await infoOf(files.ancestor))?.lineage;
  if (!lineage) throw new Error('the ancestor has no lineage');
  out = join(root, 'made.safetensors');
  await saveModel(out, {
    spec: ANCESTOR,
    values: (name, memory) => memory.set(values.get(name) as Float32Array),
    lineage,
  });
  expect(readFileSync(out).equals(readFileSync(files.ancestor))).toBe(true);
});
