/** Template banks and scalers as files: round trips, and one clear line for every file that does not fit. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, WaveError } from '#wave/base/errors.js';
import {
  type ArtifactKind,
  CheckpointError,
  makeLineage,
  openSafetensors,
  sha256File,
  type TensorInput,
  writeArtifact,
} from '#wave/checkpoint/index.js';
import { parameterShapes } from '#wave/model/parameters.js';
import {
  checkTogether,
  loadScalers,
  loadTemplates,
  type ScalersSpec,
  saveScalers,
  saveTemplates,
} from '#wave/wave/artifacts.js';
import { type BankSpec, SCALERS, scalerShapes, TEMPLATES, templateShapes } from '#wave/wave/bank.js';
import { layoutOf, parts, VARIANTS, valuesOf, vit } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'wave-artifacts-'));
afterAll(() => rmSync(folder, { recursive: true }));

const lineage = makeLineage(
  {
    command: 'wave test',
    configSha256: 'ab'.repeat(32),
    parents: [{ name: 'ancestor', sha256: 'cd'.repeat(32) }],
    seed: 1,
    engine: 'ort/cpu',
    toolVersion: '0.1.0',
  },
  { SOURCE_DATE_EPOCH: '0' },
);
const BANK: BankSpec = {
  model: vit(2, 16, 2, { ...VARIANTS['distillation and register tokens'], labels: ['a', 'b', 'c', 'd'] }),
  templates: layoutOf(8, { kronecker: 'scaler-outer' }),
};
const VALUES = valuesOf(parts(BANK.model, BANK.templates));
const TARGET: ScalersSpec = {
  model: { ...BANK.model, depth: 3, width: 24, heads: 3, hidden: 96 },
  templates: BANK.templates,
  templates_sha256: 'ef'.repeat(32),
};
const TARGET_VALUES = valuesOf(parts(TARGET.model, TARGET.templates));

const path = (name: string): string => join(folder, `${name}.safetensors`);

/** Writes an artifact with nothing checked. */
async function write(
  name: string,
  kind: ArtifactKind,
  spec: unknown,
  shapes: ReadonlyMap<string, readonly number[]>,
): Promise<string> {
  const tensors = [...shapes].map(([tensor, shape]): [string, TensorInput] => {
    const size = shape.reduce((total, n) => total * n, 1);
    return [tensor, { dtype: 'F32', shape, data: new Float32Array(size) }];
  });
  await writeArtifact(path(name), { kind, spec, lineage, tensors });
  return path(name);
}

const ofTemplates = templateShapes(BANK.model, BANK.templates);
const ofScalers = scalerShapes(TARGET.model, TARGET.templates);

/** The error of reading, with its path left out of the message; anything but one line that begins with the path fails. */
async function refusal(from: string, load: (file: string) => Promise<unknown>): Promise<string> {
  const error = await load(from).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WaveError);
  const { message } = error as WaveError;
  expect(message).not.toContain('\n');
  expect(message.startsWith(`${from}: `), message).toBe(true);
  return message.slice(from.length + 2);
}

describe('templates', () => {
  it('come back as they were saved, with spec, lineage and hash', async () => {
    await saveTemplates(path('templates'), { spec: BANK, values: VALUES, lineage });
    const loaded = await loadTemplates(path('templates'));
    expect(loaded.spec).toEqual(BANK);
    expect([...loaded.values.keys()]).toEqual([...ofTemplates.keys()]);
    for (const [name, values] of loaded.values) expect(values, name).toEqual(VALUES.get(name));
    expect(loaded.sha256).toBe(await sha256File(path('templates')));
    const file = await openSafetensors(path('templates'));
    expect(JSON.parse(file.metadata.get('wave.lineage') as string)).toEqual(lineage);
    expect([...file.tensors.keys()].every((name) => name.startsWith(TEMPLATES))).toBe(true);
    await file.close();
  });

  it('are the same bytes when saved twice', async () => {
    await saveTemplates(path('first'), { spec: BANK, values: VALUES, lineage });
    await saveTemplates(path('second'), { spec: BANK, values: new Map([...VALUES].reverse()), lineage });
    expect(await sha256File(path('first'))).toBe(await sha256File(path('second')));
  });

  it('refuse another kind of artifact', async () => {
    const model = await write('model', 'model', BANK.model, parameterShapes(BANK.model));
    expect(await refusal(model, loadTemplates)).toBe('is a model, expected a template bank; name another file');
    expect(await refusal(model, loadScalers)).toBe('is a model, expected a set of scalers; name another file');
    const scalers = await write('kind-scalers', 'scalers', TARGET, ofScalers);
    expect(await refusal(scalers, loadTemplates)).toBe(
      'is a set of scalers, expected a template bank; name another file',
    );
    await expect(loadTemplates(path('nothing-there'))).rejects.toThrow(CheckpointError);
  });

  it.each([
    ['a field missing', { model: BANK.model }, /^metadata wave\.spec: templates: .*; write the file again$/],
    ['no description at all', 7, /^metadata wave\.spec: Invalid input: .*; write the file again$/],
    [
      'a convention that is none',
      { ...BANK, templates: { ...BANK.templates, kronecker: 'sideways' } },
      /^metadata wave\.spec: templates\.kronecker: .*; write the file again$/,
    ],
    ['a field too many', { ...BANK, more: 1 }, /^metadata wave\.spec: Unrecognized key: "more"; write the file again$/],
    [
      'templates that do not divide the model',
      { ...BANK, templates: layoutOf(5) },
      /^metadata wave\.spec: templates\.width: 5 does not divide the model's width 16; .*; write the file again$/,
    ],
    [
      'sizes that no model has',
      { ...BANK, model: { ...BANK.model, heads: 3 } },
      /^metadata wave\.spec: model: width 16 is not divisible by heads 3: .*; write the file again$/,
    ],
    [
      'more blocks than any model has',
      { ...BANK, model: { ...BANK.model, depth: 1e12 } },
      /^metadata wave\.spec: model\.depth: expected at most 1024, found 1000000000000; write the file again$/,
    ],
    [
      'more templates than any bank has',
      { ...BANK, templates: layoutOf(8, { small_count: 5000 }) },
      /^metadata wave\.spec: templates\.small_count: expected at most 4096, found 5000; write the file again$/,
    ],
  ])('refuse a description with %s', async (what, spec, message) => {
    const file = await write(`spec ${what}`, 'templates', spec, ofTemplates);
    expect(await refusal(file, loadTemplates)).toMatch(message);
  });

  it('refuse a file without a tensor of its description, or with one of another shape', async () => {
    const name = 'templates.blocks.mlp.fc1.weight';
    const without = new Map([...ofTemplates].filter(([tensor]) => tensor !== name));
    const missing = await write('missing', 'templates', BANK, without);
    expect(await refusal(missing, loadTemplates)).toBe(`${name} is missing, expected [3, 32, 8]; write the file again`);
    const turned = await write('turned', 'templates', BANK, new Map([...without, [name, [3, 8, 32]]]));
    expect(await refusal(turned, loadTemplates)).toBe(
      `${name} is [3, 8, 32], expected [3, 32, 8]; write the file again`,
    );
  });
});

describe('scalers', () => {
  it('come back as they were saved', async () => {
    await saveScalers(path('scalers'), { spec: TARGET, values: TARGET_VALUES, lineage });
    const loaded = await loadScalers(path('scalers'));
    expect(loaded.spec).toEqual(TARGET);
    expect([...loaded.values.keys()]).toEqual([...ofScalers.keys()]);
    for (const [name, values] of loaded.values) expect(values, name).toEqual(TARGET_VALUES.get(name));
    const file = await openSafetensors(path('scalers'));
    expect([...file.tensors.keys()].every((name) => name.startsWith(SCALERS))).toBe(true);
    await file.close();
  });

  it('come back with an own head, for other classes, in the place of the scalers of heads', async () => {
    const model = { ...TARGET.model, classes: 7 };
    const heads = [...parameterShapes(model)].filter(([name]) => name.startsWith('head'));
    const values = new Map(TARGET_VALUES);
    for (const [name, shape] of heads) {
      values.set(
        `own.${name}`,
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
      );
    }
    await saveScalers(path('own'), { spec: { ...TARGET, model }, values, lineage });
    const loaded = await loadScalers(path('own'));
    expect(heads.map(([name]) => name)).toEqual(['head.weight', 'head.bias', 'head_dist.weight', 'head_dist.bias']);
    for (const [name] of heads) {
      expect(loaded.values.get(`own.${name}`)).toEqual(values.get(`own.${name}`));
      expect(loaded.values.has(SCALERS + name)).toBe(false);
    }
    expect(loaded.values.size).toBe(ofScalers.size);
  });

  it('refuse a missing tensor, a tensor of another shape and a bad description', async () => {
    const name = 'scalers.blocks.attn.proj.weight';
    const without = new Map([...ofScalers].filter(([tensor]) => tensor !== name));
    const missing = await write('scalers-missing', 'scalers', TARGET, without);
    expect(await refusal(missing, loadScalers)).toBe(`${name} is missing, expected [3, 3, 3, 3]; write the file again`);
    const small = await write('scalers-small', 'scalers', TARGET, new Map([...without, [name, [3, 3, 2, 2]]]));
    expect(await refusal(small, loadScalers)).toBe(
      `${name} is [3, 3, 2, 2], expected [3, 3, 3, 3]; write the file again`,
    );
    const { templates_sha256: _, ...rest } = TARGET;
    const anonymous = await write('scalers-anonymous', 'scalers', rest, ofScalers);
    expect(await refusal(anonymous, loadScalers)).toMatch(/^metadata wave\.spec: templates_sha256: /);
    const head = await write('scalers-head', 'scalers', TARGET, new Map([...ofScalers, ['own.head.weight', [4, 23]]]));
    expect(await refusal(head, loadScalers)).toBe('own.head.weight is [4, 23], expected [4, 24]; write the file again');
  });
});

it('tells scalers of other templates from their own', async () => {
  await saveTemplates(path('bank'), { spec: BANK, values: VALUES, lineage });
  const bank = await loadTemplates(path('bank'));
  const together = (templates_sha256: string) => () =>
    checkTogether(
      { path: 'bank.safetensors', bank },
      {
        path: 'small.safetensors',
        scalers: { spec: { ...TARGET, templates_sha256 }, values: TARGET_VALUES, sha256: '' },
      },
    );
  expect(together(bank.sha256)).not.toThrow();
  expect(together('ef'.repeat(32))).toThrow(ConfigError);
  expect(together('ef'.repeat(32))).toThrow(
    `small.safetensors: belongs to templates with sha256 efefefefefef..., bank.safetensors has ${bank.sha256.slice(0, 12)}...; ` +
      'name the templates that the scalers were made for',
  );
});
