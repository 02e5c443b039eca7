/** What holds for every method, the registry and its page of the documentation; and `deit` and `wave` themselves. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { nonStrictPaths } from '#wave/config/index.js';
import { findMethod, type Inputs, METHODS, type Method, planTarget } from '#wave/init/index.js';
import { collect } from '#wave/model/fill.js';
import { initialise } from '#wave/model/initialise.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { inheritScalers, materialiseValues, randomScalers, scalerShapes, targetSpec } from '#wave/wave/index.js';
import { ANCESTOR, ancestorInputs, bankInputs, LAYOUT } from './support.js';

const page = readFileSync(new URL('../../docs/init-methods.md', import.meta.url), 'utf8');
/** A size that the method can make of the test's models, another than theirs where it can. */
const sizeFor = ({ depth, width }: Pick<Method, 'depth' | 'width'>) => ({
  depth: { any: 5, shrink: 2, grow: 5, keep: 3 }[depth],
  width: { any: 40, shrink: 16, grow: 40, keep: 24 }[width],
});

const inputsFor = (need: Inputs['need']): Inputs =>
  ({ nothing: { need: 'nothing', model: ANCESTOR } as const, ancestor: ancestorInputs(), templates: bankInputs() })[
    need
  ];

describe.each(METHODS)('$name', ({ name, summary, load }) => {
  it('fills every parameter of the target, the same ones for the same seed', async () => {
    const method = await load();
    const inputs = inputsFor(method.needs);
    const target = planTarget(name, method, inputs, sizeFor(method));
    const values = () => collect(target, method.start(inputs, { target, seed: 1 }, {}).fill);
    const first = values();
    expect(first).toEqual(values());
    for (const [parameter, value] of first) expect(value.every(Number.isFinite), parameter).toBe(true);
  });

  it('writes every number, whatever was in the memory', async () => {
    const method = await load();
    const inputs = inputsFor(method.needs);
    const target = planTarget(name, method, inputs, sizeFor(method));
    const { fill } = method.start(inputs, { target, seed: 1 }, {});
    for (const [parameter, shape] of parameterShapes(target)) {
      const out = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(Number.NaN);
      fill(parameter, out);
      expect(out.every(Number.isFinite), parameter).toBe(true);
    }
  });

  it('has strict options, each with a default', async () => {
    const { options } = await load();
    expect(nonStrictPaths(options)).toEqual([]);
    expect(options.safeParse({}).success).toBe(true);
  });

  it('is documented: one row with what it needs, its paper, and each option', async () => {
    const { needs, paper, options } = await load();
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` `)) ?? '';
    const needed = { nothing: 'nothing', ancestor: '`--ancestor`', templates: '`--templates`' }[needs];
    expect(row.split('|')[2]).toContain(needed);
    expect(row).toContain(`[${paper.venue}](${paper.url})`);
    for (const option of Object.keys(options.shape)) expect(page).toContain(`| \`${name}\` | \`${option}\` `);
    expect(summary).not.toMatch(/\.$/);
  });
});

describe('findMethod', () => {
  it('gives the entry of that name', () => {
    expect(METHODS.map(({ name }) => findMethod(name))).toEqual(METHODS);
    expect(new Set(METHODS.map(({ name }) => name)).size).toBe(METHODS.length);
  });

  it('lists what there is, and the nearest', () => {
    const names = METHODS.map(({ name }) => name).join(', ');
    expect(() => findMethod('weigth-selection')).toThrow(
      new ConfigError(`method must be one of ${names}; found "weigth-selection" (did you mean weight-selection?)`),
    );
    expect(() => findMethod('kaiming')).toThrow(new ConfigError(`method must be one of ${names}; found "kaiming"`));
  });
});

it('a method refuses inputs of another kind', async () => {
  const method = await findMethod('wave').load();
  expect(() => method.start(ancestorInputs(), { target: ANCESTOR, seed: 0 }, {})).toThrow(TypeError);
});

describe('deit', () => {
  it('gives what pretraining starts from', async () => {
    const method = await findMethod('deit').load();
    const inputs = inputsFor('nothing');
    const target = planTarget('deit', method, inputs, { depth: 5, width: 40 });
    const made = method.start(inputs, { target, seed: 9 }, {});
    expect(collect(target, made.fill)).toEqual(initialise(target, 9));
    expect(made).toMatchObject({ transferred: 0 });
    expect(made.scalers).toBeUndefined();
  });
});

describe('wave', () => {
  const target = targetSpec({ model: ANCESTOR, templates: LAYOUT }, { depth: 5, width: 40 });
  const start = async (inputs: Inputs, options: object) => {
    const method = await findMethod('wave').load();
    return method.start(inputs, { target, seed: 4 }, options);
  };

  it('inherits scalers and makes weights of them', async () => {
    const inputs = bankInputs();
    const { scalers, fill, transferred } = await start(inputs, {});
    expect(scalers).toEqual(inheritScalers(ANCESTOR, target, LAYOUT, inputs.scalers.values));
    expect([...(scalers ?? []).keys()]).toEqual([...scalerShapes(target, LAYOUT).keys()]);
    const tensors = new Map([...inputs.templates, ...(scalers ?? [])]);
    expect(collect(target, fill)).toEqual(materialiseValues(target, LAYOUT, tensors));
    expect(transferred).toBe([...inputs.templates.values()].reduce((total, { length }) => total + length, 0));
  });

  it('draws random scalers, as large as those that are known', async () => {
    const inputs = bankInputs();
    const { scalers } = await start(inputs, { start: 'random' });
    expect(scalers).toEqual(randomScalers(target, LAYOUT, 4, inputs.scalers));
    const without = await start({ ...inputs, scalers: undefined }, { start: 'random' });
    expect(without.scalers).toEqual(randomScalers(target, LAYOUT, 4));
  });

  it('cannot inherit without scalers', async () => {
    await expect(start({ ...bankInputs(), scalers: undefined }, {})).rejects.toThrow(
      new ConfigError("start inherit needs the auxiliary model's scalers; give --scalers, or choose start random"),
    );
  });

  it.each(['inherit', 'random'])('refuses scalers without a head, start %s', async (how) => {
    const inputs = bankInputs();
    const values = new Map([...inputs.scalers.values, ['own.head.weight', new Float32Array(1)]]);
    await expect(start({ ...inputs, scalers: { model: ANCESTOR, values } }, { start: how })).rejects.toThrow(
      /a head of its own, for 5 classes, [^\n]+$/,
    );
  });
});
