/** What a pipeline file may say, and what is told when it says something else. */
import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { taskName } from '#wave/stages/pipeline/tasks.js';
import { load } from './fakes.js';

const TARGETS = 'targets: [{ depth: 3, width: 64 }, { depth: 6, width: 32, name: narrow }]';

/** The lines of the error that loading must end in. */
async function problems(text: string): Promise<string[]> {
  const error: unknown = await load(text).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message.split('\n');
}

describe('tasks', () => {
  it('are the stages in the order written, one after the other for each target', async () => {
    const { tasks } = await load(`
out: results
${TARGETS}
stages:
  zeta: { stage: make }
  bank: { ancestor: zeta }
  init: { stage: scale, templates: bank }
  scratch: { stage: make, each: targets }
  test: { stage: use, templates: bank, scalers: init }
`);
    expect(tasks.map((task) => [taskName(task), task.dir])).toEqual([
      ['zeta', 'results/zeta'],
      ['bank', 'results/bank'],
      ['init 64x3', 'results/init/64x3'],
      ['init narrow', 'results/init/narrow'],
      ['scratch 64x3', 'results/scratch/64x3'],
      ['scratch narrow', 'results/scratch/narrow'],
      ['test 64x3', 'results/test/64x3'],
      ['test narrow', 'results/test/narrow'],
    ]);
  });

  it('can be limited to some targets, and so are the stages that read what they make', async () => {
    const { tasks } = await load(`
${TARGETS}
stages:
  bank: { ancestor: ./m }
  init: { stage: scale, templates: bank, each: [narrow] }
  scratch: { stage: make, each: [narrow, 64x3] }
  test: { stage: use, templates: bank, scalers: init }
`);
    expect(tasks.map(taskName)).toEqual(['bank', 'init narrow', 'scratch 64x3', 'scratch narrow', 'test narrow']);
  });

  it('go into a folder named after the file where nothing is said', async () => {
    expect((await load('stages: { make: {} }')).out).toBe('runs/p');
  });

  it('are the same under other files, --set and flags', async () => {
    const options = { sets: ['stages.make.train.lr=2', 'out=a'], flags: { seed: 9, out: 'b' } };
    const { out, tasks } = await load('stages: { make: { train: { steps: 3 } } }', undefined, options);
    expect(out).toBe('b');
    expect(tasks[0].config).toEqual({ seed: 9, train: { lr: 2, steps: 3 }, files: [] });
  });
});

describe('a common block', () => {
  it('is merged key by key below that of every stage', async () => {
    const { tasks } = await load(`
seed: 3
train: { lr: 5, steps: 8 }
stages:
  a: { stage: make }
  b: { stage: make, seed: 4, train: { lr: 6 } }
`);
    expect(tasks.map(({ config }) => config)).toEqual([
      { seed: 3, train: { lr: 5, steps: 8 }, files: [] },
      { seed: 4, train: { lr: 6, steps: 8 }, files: [] },
    ]);
  });

  it('is told as one problem, at its own place, however many stages have it', async () => {
    expect(await problems('train: { lr: no }\nstages:\n  a: { stage: make }\n  b: { stage: make }')).toEqual([
      'p.yaml:1:14: train.lr: expected a number, found "no"',
    ]);
  });

  it('is refused when no stage has such a block', async () => {
    expect(await problems('engine: { threads: 1 }\nstages: { make: {} }')).toEqual([
      'p.yaml:1:1: engine: no stage has such a block; remove it',
    ]);
  });
});

describe('what is wrong', () => {
  it('is told all at once, with places and the nearest right word', async () => {
    const text = `
sed: 1
targets: [{ depth: 0, width: 8 }]
stages:
  a: { stage: mak }
  b: { stage: make, train: { lrr: 1 }, each: target }
  c: { stage: use, model: A, model2: b }
  d: {}
`;
    expect(await problems(text)).toEqual([
      'p.yaml:2:1: sed: unknown key, did you mean `seed`?',
      'p.yaml:3:20: targets.0.depth: expected a whole number of at least 1, found 0',
      'p.yaml:5:15: stages.a.stage: expected one of make, bank, scale, use, found "mak", did you mean `make`?',
      'p.yaml:6:30: stages.b.train.lrr: unknown key, did you mean `lr`?',
      'p.yaml:6:46: stages.b.each: expected targets or a list of at least 1 (each text), found "target", did you mean `targets`?',
      'p.yaml:7:27: stages.c.model: no stage is called "A", did you mean `a`?',
      'p.yaml:7:30: stages.c.model2: unknown key, did you mean `model`?',
      'p.yaml:8:3: stages.d: no kind of stage is called so; add stage: with one of make, bank, scale, use',
    ]);
  });

  it.each([
    [
      'a stage that comes later',
      'a: { stage: bank, ancestor: b }\n  b: { stage: make }',
      'stages.a.ancestor: stage "b" comes later; move it above "a"',
    ],
    [
      'the stage itself',
      'a: { stage: bank, ancestor: a }',
      'stages.a.ancestor: a stage cannot read what it makes itself; name an earlier one',
    ],
    [
      'a stage that makes something else',
      'a: { stage: make }\n  b: { stage: bank, ancestor: a }\n  c: { stage: bank, ancestor: b }',
      'stages.c.ancestor: expected a stage that makes a model; "b" (bank) makes templates and scalers',
    ],
    [
      'a stage that makes nothing',
      'a: { stage: make }\n  b: { stage: use, model: a }\n  c: { stage: bank, ancestor: b }',
      'stages.c.ancestor: expected a stage that makes a model; "b" (use) makes no file',
    ],
    [
      'nothing that there is',
      'a: { stage: make }\n  b: { stage: bank, ancestor: other }',
      'stages.b.ancestor: no stage is called "other"; expected one of a, or the path of a file (with a /, .safetensors or .onnx)',
    ],
  ])('is told of an input that names %s', async (_name, stages, message) => {
    const [line, ...more] = await problems(`stages:\n  ${stages}`);
    expect(more).toEqual([]);
    expect(line.replace(/^p\.yaml:\d+:\d+: /, '')).toBe(message);
  });

  it.each([
    ['none', '{ stage: use }', 'none'],
    ['one of two', '{ stage: use, scalers: ./s }', 'scalers'],
    ['too many', '{ stage: use, model: ./m, templates: ./t, scalers: ./s }', 'model and templates and scalers'],
  ])('is told of inputs when there are %s', async (_name, stage, found) => {
    expect(await problems(`stages:\n  a: ${stage}`)).toEqual([
      `p.yaml:2:6: stages.a: needs as input: model, or templates and scalers; found ${found}`,
    ]);
  });

  it.each([
    [
      'Fit',
      'stages: { Fit: { stage: make } }',
      'stages.Fit: the name of a stage is made of small letters, digits, - and _',
    ],
    [
      '../x',
      'stages: { ../x: { stage: make } }',
      'stages."../x": the name of a stage is made of small letters, digits, - and _',
    ],
    [
      'a target',
      'targets: [{ depth: 1, width: 8, name: ../x }]\nstages: { a: { stage: make } }',
      'targets.0.name: expected letters, digits, -, _ and . (not first), found "../x"',
    ],
  ])('is told of a name that is no folder: %s', async (_name, text, message) => {
    const [line] = await problems(text);
    expect(line.replace(/^p\.yaml:\d+:\d+: /, '')).toBe(message);
  });

  it('is told of two targets of one name', async () => {
    const text = 'targets:\n  - { depth: 1, width: 8 }\n  - { depth: 1, width: 8 }\nstages: { a: { stage: make } }';
    expect(await problems(text)).toEqual([
      'p.yaml:3:5: targets.1.name: 8x1 is the name of targets.0 already; give it another',
    ]);
  });

  it('is told of stages per target without targets', async () => {
    const text = 'stages:\n  a: { stage: make, each: targets }\n  s: { stage: scale, templates: ./t }';
    const message = 'is run once per target, and targets: lists none';
    expect(await problems(text)).toEqual([`p.yaml:2:3: stages.a: ${message}`, `p.yaml:3:3: stages.s: ${message}`]);
  });

  it('is told of targets that are not there, or that no input is made for', async () => {
    const text = `
${TARGETS}
stages:
  one: { stage: make, each: [narow] }
  a: { stage: scale, templates: ./t, each: [64x3] }
`;
    expect(await problems(text)).toEqual([
      'p.yaml:4:30: stages.one.each.0: no target is called "narow"; did you mean `narrow`?',
    ]);
    const stages = `
  m: { stage: make, each: [narrow] }
  t: { stage: bank, ancestor: m }
  s: { stage: scale, templates: ./t, each: [64x3] }
  u: { stage: use, templates: t, scalers: s }`;
    expect(await problems(`${TARGETS}\nstages:${stages}`)).toEqual([
      'p.yaml:6:3: stages.u: is run for no target: its inputs are made for others',
    ]);
  });

  it('is told of the target that a stage cannot make', async () => {
    const text =
      'targets: [{ depth: 1, width: 8 }, { depth: 1, width: 9 }]\nstages:\n  a: { stage: make, each: targets }';
    expect(await problems(text)).toEqual(['p.yaml:3:3: stages.a (target 9x1): width 9 is odd']);
  });

  it.each([
    ['no stages', 'seed: 1', 'stages: required, but missing; expected a mapping'],
    ['an empty list of stages', 'stages: {}', 'stages: lists no stage; give one'],
    ['a stage without a mapping', 'stages: { make: }', 'stages.make: expected a mapping, found nothing (null)'],
  ])('is told of %s', async (_name, text, message) => {
    const [line, ...more] = await problems(text);
    expect(more).toEqual([]);
    expect(line.replace(/^p\.yaml(:\d+:\d+)?: /, '')).toBe(message);
  });
});
