import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigError } from '#wave/base/errors.js';
import { type LoadConfigOptions, loadConfig } from '#wave/config/index.js';

const schema = z.strictObject({
  seed: z.int().min(0).default(0),
  device: z.enum(['cpu', 'webgpu', 'cuda']).default('cpu'),
  train: z
    .strictObject({
      lr: z.number().positive().default(0.001),
      epochs: z.int().min(1).max(1000).default(10),
      label_smoothing: z.number().min(0).max(1).default(0),
      note: z.string().nullable().default(null),
    })
    .prefault({}),
  mean: z.array(z.number()).min(1).default([0.5]),
  layers: z.array(z.strictObject({ width: z.int() })).default([]),
  teacher: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('vit'), path: z.string() }),
      z.strictObject({ kind: z.literal('onnx'), file: z.string(), size: z.int().default(224) }),
    ])
    .optional(),
  warmup: z.union([z.literal('auto'), z.int().min(0)]).default('auto'),
  names: z.record(z.string(), z.number()).default({}),
});

function load(options: Omit<LoadConfigOptions<typeof schema>, 'schema'>) {
  return loadConfig({ schema, ...options });
}

/** The lines of the ConfigError that loading must end in. */
function problems(options: Omit<LoadConfigOptions<typeof schema>, 'schema'>): string[] {
  try {
    load(options);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.split('\n');
  }
  throw new Error('expected a ConfigError');
}

let folder = '';
function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wave-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('precedence', () => {
  it('fills in the defaults of the schema where nothing is given', () => {
    expect(load({})).toMatchObject({ seed: 0, train: { lr: 0.001, epochs: 10 }, mean: [0.5], warmup: 'auto' });
  });

  it('goes defaults < extends < file < --set < flags', () => {
    write('base/common.yaml', 'seed: 1\ntrain: {lr: 0.1, epochs: 1, label_smoothing: 0.1}\nmean: [1, 2, 3]\n');
    const file = write('a.yaml', 'extends: base/common.yaml\ntrain:\n  lr: 0.2\n  epochs: 2\nmean: [9]\n');
    const config = load({ file, sets: ['train.epochs=3', 'seed=4'], flags: { seed: 5, device: undefined } });
    expect(config.train).toEqual({ lr: 0.2, epochs: 3, label_smoothing: 0.1, note: null });
    expect(config.seed).toBe(5);
    expect(config.mean).toEqual([9]);
  });

  it('lets later files of an extends list win, and follows extends of extended files beside them', () => {
    write('deep/root.yaml', 'seed: 1\ndevice: webgpu\n');
    write('deep/mid.yaml', 'extends: root.yaml\nseed: 2\n');
    write('other.yaml', 'seed: 3\n');
    const file = write('list.yaml', 'extends: [deep/mid.yaml, other.yaml]\n');
    expect(load({ file })).toMatchObject({ seed: 3, device: 'webgpu' });
  });

  it('lets two files extend the same base', () => {
    write('d/base.yaml', 'seed: 7\n');
    write('d/l.yaml', 'extends: base.yaml\n');
    write('d/r.yaml', 'extends: base.yaml\ndevice: cuda\n');
    expect(load({ file: write('d/top.yaml', 'extends: [l.yaml, r.yaml]\n') })).toMatchObject({
      seed: 7,
      device: 'cuda',
    });
  });

  it('applies --set in order, the last one winning', () => {
    expect(load({ sets: ['seed=1', 'seed=2'] }).seed).toBe(2);
  });
});

describe('--set', () => {
  it('splits on the first "=" only', () => {
    expect(load({ sets: ['train.note=a=b=c'] }).train.note).toBe('a=b=c');
  });

  it('reads values as YAML', () => {
    const config = load({
      sets: ['mean=[1, 2.5]', 'train={lr: 1e-2, epochs: 4}', 'train.note="5"', 'train.note=null'],
    });
    expect(config).toMatchObject({ mean: [1, 2.5], train: { lr: 0.01, epochs: 4, note: null } });
    expect(load({ sets: ['train.note="5"'] }).train.note).toBe('5');
    expect(load({ sets: ['train.note='] }).train.note).toBeNull();
  });

  it('merges a mapping into what the file gives', () => {
    expect(load({ text: 'train: {lr: 5}', sets: ['train={epochs: 4}'] }).train).toMatchObject({ lr: 5, epochs: 4 });
  });

  it('reaches into lists and appends at their end', () => {
    const config = load({
      text: 'layers: [{width: 1}, {width: 2}]',
      sets: ['layers.1.width=5', 'layers.2={width: 6}'],
    });
    expect(config.layers).toEqual([{ width: 1 }, { width: 5 }, { width: 6 }]);
  });

  it('uses a number as a key where a mapping stands', () => {
    expect(load({ sets: ['names.3=7'] }).names).toEqual({ 3: 7 });
  });

  it.each([
    ['train.lr', '--set train.lr: expected key.path=value, found no "="'],
    ['=3', '--set =3: "" is not a key path such as train.lr'],
    ['train..lr=3', '--set train..lr=3: "train..lr" is not a key path such as train.lr'],
    ['train.__proto__.x=1', '--set train.__proto__.x=1: "train.__proto__.x" is not a key path such as train.lr'],
    ['mean.5=1', '--set mean.5=1: mean is not given, so it has no items; set the whole list: mean=[...]'],
    [
      'train.note=a: b',
      '--set train.note=a: b: write a list as [a, b], a mapping as {a: 1} and text with ": " or "- " in quotes',
    ],
    ['train.lr=abc', '--set train.lr=abc: train.lr: expected a positive number, found "abc"'],
    ['train.lr=[1', '--set train.lr=[1: not valid YAML: Flow sequence must end with a ]'],
    ['trian.lr=1', '--set trian.lr=1: trian: unknown key, did you mean `train`?'],
    [
      'train={lr:3}',
      '--set train={lr:3}: train."lr:3": unknown key, a space is missing after the colon: write `lr: 3`',
    ],
    [
      'extends=a.yaml',
      '--set extends=a.yaml: extends: unknown key, expected one of seed, device, train, mean, layers, teacher, warmup, names',
    ],
  ])('answers %s with one line', (argument, line) => {
    expect(problems({ sets: [argument] })).toEqual([line]);
  });

  it('says how long a list is when the index is past its end', () => {
    expect(problems({ text: 'mean: [1, 2]', sets: ['mean.3=1'] })).toEqual([
      '--set mean.3=1: mean has 2 items; set the whole list: mean=[...]',
    ]);
  });
});

describe('flags', () => {
  it('names the flag as it is typed', () => {
    const flags = { 'train.lr': -1, 'train.label_smoothing': 2, seed: 1.5 };
    expect(problems({ flags, flagNames: { 'train.lr': '--learning-rate' } })).toEqual([
      '--learning-rate=-1: train.lr: expected a positive number, found -1',
      '--label-smoothing=2: train.label_smoothing: expected a number from 0 to 1, found 2',
      '--seed=1.5: seed: expected a whole number of at least 0, found 1.5',
    ]);
  });

  it('takes lists and mappings', () => {
    expect(load({ flags: { mean: [1, 2], train: { lr: 3, note: undefined, 'x-mine': 1 } } })).toMatchObject({
      mean: [1, 2],
      train: { lr: 3 },
    });
  });
});

describe('problems with values', () => {
  it('reports all of them at once, in the order of the places', () => {
    const file = write(
      'bad.yaml',
      `seed: -1
train:
  labl_smoothing: 0.1
  lr: abc
  epochs: 2000
device: cudda
teacher: {kind: vit, file: x}
warmup: soon
layers: [{width: 1}, {wdith: 2}]
mean: []
`,
    );
    expect(problems({ file, sets: ['train.note=3'] })).toEqual([
      `${file}:1:7: seed: expected a whole number of at least 0, found -1`,
      `${file}:3:3: train.labl_smoothing: unknown key, did you mean \`label_smoothing\`?`,
      `${file}:4:7: train.lr: expected a positive number, found "abc"`,
      `${file}:5:11: train.epochs: expected a whole number from 1 to 1000, found 2000`,
      `${file}:6:9: device: expected one of cpu, webgpu, cuda, found "cudda", did you mean \`cuda\`?`,
      `${file}:7:10: teacher.path: required, but missing; expected text`,
      `${file}:7:22: teacher.file: unknown key, expected one of kind, path`,
      `${file}:8:9: warmup: expected auto or a whole number of at least 0, found "soon"`,
      `${file}:9:22: layers.1.width: required, but missing; expected a whole number`,
      `${file}:9:23: layers.1.wdith: unknown key, did you mean \`width\`?`,
      `${file}:10:7: mean: expected a list of at least 1 (each a number), found a list of 0`,
      '--set train.note=3: train.note: expected text or null, found 3',
    ]);
  });

  it('points at the layer that holds the wrong value', () => {
    const base = write('where/base.yaml', '# comment\ntrain:\n  lr: 0\n');
    const file = write('where/top.yaml', 'extends: base.yaml\nseed: x\n');
    expect(problems({ file })).toEqual([
      `${file}:2:7: seed: expected a whole number of at least 0, found "x"`,
      `${base}:3:7: train.lr: expected a positive number, found 0`,
    ]);
  });

  it('says where a misplaced key belongs', () => {
    expect(problems({ text: 'label_smoothing: 0.1' })).toEqual([
      'config:1:1: label_smoothing: unknown key here, it belongs under `train`',
    ]);
  });

  it('names the choices of a discriminated union', () => {
    expect(problems({ text: 'teacher: {kind: vlt}' })).toEqual([
      'config:1:17: teacher.kind: expected one of vit, onnx, found "vlt", did you mean `vit`?',
    ]);
  });

  it.each([
    ['train: 3', 'config:1:8: train: expected a mapping, found 3'],
    ['train:', 'config:1:7: train: expected a mapping, found nothing (null)'],
    ['train: [1, 2]', 'config:1:8: train: expected a mapping, found a list of 2'],
    ['seed: .inf', 'config:1:7: seed: expected a whole number of at least 0, found Infinity'],
    [
      'seed: 12345678901234567890',
      'config:1:7: seed: expected a whole number of at least 0, found 12345678901234567000',
    ],
    [
      'toString: 1',
      'config:1:1: toString: unknown key, expected one of seed, device, train, mean, layers, teacher, warmup, names',
    ],
  ])('answers %j with one line', (text, line) => {
    expect(problems({ text })).toEqual([line]);
  });

  it('speaks of the command line when there is no file', () => {
    const needy = z.strictObject({ data: z.strictObject({ source: z.string() }) });
    expect(() => loadConfig({ schema: needy })).toThrow(
      'command line: data: required, but missing; expected a mapping',
    );
  });
});

describe('problems with files', () => {
  it.each([
    ['empty.yaml', '', 'FILE: is empty; expected settings such as "key: value"'],
    ['comments.yaml', '# only\n', 'FILE: is empty; expected settings such as "key: value"'],
    ['scalar.yaml', 'hello\n', 'FILE:1:1: expected settings such as "key: value"'],
    ['tabs.yaml', 'train:\n\tlr: 1\n', 'FILE:2:1: a tab indents this line; indent with spaces'],
    ['twice.yaml', 'seed: 1\nseed: 2\n', 'FILE:2:1: key "seed" is given twice in the same mapping; keep one'],
    ['docs.yaml', 'seed: 1\n---\nseed: 2\n', 'FILE:2:1: a second document starts here (---); a file holds one'],
    ['quote.yaml', 'train: {note: "x}\n', 'FILE:2:1: not valid YAML: Missing closing "quote'],
    ['tag.yaml', 'seed: !js/function 1\n', 'FILE:1:7: not valid YAML: Unresolved tag: !js/function'],
    ['alias.yaml', 'seed: *s\n', 'FILE:1:7: alias *s names no anchor above it'],
    ['complex.yaml', '[a]: 1\n', 'FILE:1:1: a key must be a name'],
    ['proto.yaml', 'train:\n  __proto__: {polluted: 1}\n', 'FILE:2:3: key "__proto__" is not allowed'],
    [
      'merge.yaml',
      'x-a: &a {lr: 1}\ntrain:\n  <<: *a\n',
      'FILE:3:3: train."<<": unknown key, expected one of lr, epochs, label_smoothing, note',
    ],
  ])('answers %s with one line', (name, content, line) => {
    const file = write(`files/${name}`, content);
    expect(problems({ file })).toEqual([line.replace('FILE', file)]);
  });

  it('reports a missing file, a directory and binary content in one line each', () => {
    expect(problems({ file: 'no/such.yaml' })).toEqual(['no/such.yaml: no such file']);
    expect(problems({ file: folder })).toEqual([`${folder}: is a directory; name a YAML file`]);
    const binary = write('binary.yaml', Uint8Array.of(0x61, 0x3a, 0xff, 0xfe));
    expect(problems({ file: binary })).toEqual([`${binary}: is not UTF-8 text`]);
    const large = write('large.yaml', `# ${'x'.repeat(300_000)}\n`);
    expect(problems({ file: large })).toEqual([`${large}: is larger than 262144 bytes; no configuration is`]);
  });

  it('keeps on checking --set when the file is missing, but not for keys the file would have given', () => {
    const needy = z.strictObject({ a: z.number(), b: z.number() });
    expect(() => loadConfig({ schema: needy, file: 'no.yaml', sets: ['b=x'] })).toThrow(
      /^no\.yaml: no such file\n--set b=x: b: expected a number, found "x"$/,
    );
  });

  it('reports the problems of extended files at the line that names them', () => {
    const file = write('ext.yaml', 'seed: x\nextends:\n  - missing.yaml\n  - 3\n');
    expect(problems({ file })).toEqual([
      `${file}:1:7: seed: expected a whole number of at least 0, found "x"`,
      `${file}:3:5: extends: ${join(folder, 'missing.yaml')}: no such file`,
      `${file}:4:5: extends: expected a file name or a list of file names, found 3`,
    ]);
  });

  it('refuses files that extend themselves or each other', () => {
    const self = write('self.yaml', 'extends: self.yaml\n');
    expect(problems({ file: self })).toEqual([
      `${self}:1:10: extends: ${self}: extends itself, directly or through others`,
    ]);
    const a = write('cyc/a.yaml', 'extends: b.yaml\n');
    const b = write('cyc/b.yaml', 'extends: ../cyc/a.yaml\n');
    expect(problems({ file: a })).toEqual([`${b}:1:10: extends: ${a}: extends itself, directly or through others`]);
  });

  it('stops at a bound when every file extends two others', () => {
    for (let i = 0; i < 20; i++) write(`many/${i}.yaml`, `extends: [${i + 1}.yaml, ${i + 1}.yaml]\n`);
    write('many/20.yaml', 'seed: 1\n');
    const lines = problems({ file: join(folder, 'many/0.yaml') });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/more than 50 files extend each other$/);
  });
});

describe('hostile text', () => {
  it('bounds what aliases can multiply', () => {
    const levels = Array.from({ length: 9 }, (_, i) => `x-${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}]`);
    const text = `seed: &l0 1\n${levels.join('\n')}\nmean: *l9\n`;
    expect(problems({ text })).toEqual([expect.stringMatching(/^config:\d+:\d+: more than 100 aliases$/)]);
  });

  it('bounds the number of values', () => {
    const lines = problems({ text: `mean: [${'1,'.repeat(60_000)}]` });
    expect(lines).toEqual([expect.stringMatching(/more than 50000 values/)]);
  });

  it('ends an alias that contains itself', () => {
    expect(problems({ text: 'mean: &a [*a]' })).toEqual([expect.stringMatching(/nested deeper than 32 levels$/)]);
  });

  it('survives brackets nested thousands deep', () => {
    expect(problems({ text: `mean: ${'['.repeat(20_000)}` })).toHaveLength(1);
  });

  it('never touches the prototype of objects', () => {
    expect(load({ flags: { names: JSON.parse('{"__proto__": {"polluted": 1}}') } }).names).toEqual({});
    const config = load({ text: 'names: {constructor: 1, prototype: 2}', sets: ['names.hasOwnProperty=3'] });
    expect(Object.keys(config.names)).toEqual(['constructor', 'prototype', 'hasOwnProperty']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('keeps a message on one line, whatever the value', () => {
    const lines = problems({ text: `seed: "a\\nb${'c'.repeat(500)}"` });
    expect(lines).toHaveLength(1);
    expect(lines[0].length).toBeLessThan(150);
    for (const set of [
      `seed="a\nb\u001b[31m"`,
      `seed=${'c'.repeat(500)}`,
      `${'k'.repeat(500)}=1`,
      `seed=!${'t'.repeat(500)} 1`,
    ]) {
      const [line, ...more] = problems({ sets: [set] });
      expect(more).toEqual([]);
      expect(line.length).toBeLessThan(300);
      expect(line).not.toMatch(/\p{Cc}/u);
    }
  });
});

describe('private keys', () => {
  it('are ignored at every level, and may hold anchors', () => {
    const text =
      'x-note: {any: [thing]}\nx-fast: &fast {lr: 2, x-why: because}\ntrain: *fast\nlayers: [{width: 1, x-id: 4}]\n';
    const config = load({ text, sets: ['x-mine.deep=1', 'train.x-other=2'] });
    expect(config.train.lr).toBe(2);
    expect(Object.keys(config)).not.toContain('x-note');
  });
});

describe('loadConfig', () => {
  it('refuses a schema that lets unknown keys pass', () => {
    const loose = z.strictObject({ inner: z.object({ a: z.number() }).optional() });
    expect(() => loadConfig({ schema: loose })).toThrow(/lets unknown keys pass at properties\.inner/);
  });
});
