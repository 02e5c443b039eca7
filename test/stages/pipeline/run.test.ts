/** What is run again, what is skipped, and what is left when something goes wrong. The stages are fakes. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError, TrainingError } from '#wave/base/errors.js';
import { writeSafetensors } from '#wave/checkpoint/index.js';
import { loadPipeline } from '#wave/stages/pipeline/load.js';
import type { Selection } from '#wave/stages/pipeline/plan.js';
import { planPipeline, runPipeline } from '#wave/stages/pipeline/run.js';
import { context } from '../support.js';
import { type Fakes, interrupt, makeFakes } from './fakes.js';

const root = mkdtempSync(join(tmpdir(), 'wave-pipeline-'));
afterAll(() => rmSync(root, { recursive: true }));

/** An ancestor, a bank, scalers of two targets, a measurement of each, and two models from scratch. */
const TEXT = `
targets: [{ depth: 1, width: 8 }, { depth: 2, width: 16 }]
stages:
  ancestor: { stage: make }
  bank: { ancestor: ancestor }
  init: { stage: scale, templates: bank }
  test: { stage: use, templates: bank, scalers: init }
  scratch: { stage: make, each: targets }
`;
const ALL = ['ancestor', 'bank', 'init/8x1', 'init/16x2', 'test/8x1', 'test/16x2', 'scratch/8x1', 'scratch/16x2'];

let fakes: Fakes;
let out: string;
let count = 0;
beforeEach(() => {
  fakes = makeFakes();
  out = join(root, String(count++));
});

interface Options extends Selection {
  readonly text?: string;
  readonly sets?: readonly string[];
}

/** Runs the pipeline, and tells which tasks were run. */
async function run({ text = TEXT, sets = [], ...selection }: Options = {}, told = context()) {
  const pipeline = await loadPipeline({ file: 'p.yaml', text, sets: [`out=${out}`, ...sets], kinds: fakes.kinds });
  const before = fakes.runs.length;
  const names = () => fakes.runs.slice(before).map((dir) => dir.slice(out.length + 1));
  try {
    return { report: await runPipeline(pipeline, told, selection), ran: names(), error: undefined };
  } catch (error) {
    return { report: undefined, ran: names(), error: error as Error };
  }
}

const at = (...names: string[]) => join(out, ...names);

describe('a second run', () => {
  it('runs nothing', async () => {
    expect((await run()).ran).toEqual(ALL);
    expect((await run()).ran).toEqual([]);
  });

  it('reports the same measurements', async () => {
    const [first, second] = [await run(), await run()];
    expect(second.report?.targets).toEqual(first.report?.targets);
    expect(second.report?.stages.map(({ results }) => results)).toEqual(
      first.report?.stages.map(({ results }) => results),
    );
    expect(second.report?.stages.every(({ status }) => status === 'up to date')).toBe(true);
  });

  it.each([
    ['of the first stage', 'stages.ancestor.train.lr=1', ALL.slice(0, 6)],
    ['of a stage in the middle', 'stages.init.seed=1', ALL.slice(2, 6)],
    ['of the last stage', 'stages.scratch.seed=1', ALL.slice(6)],
    ['of all stages', 'seed=1', ALL],
  ])('with another setting %s runs what depends on it', async (_name, set, expected) => {
    await run();
    expect((await run({ sets: [set] })).ran).toEqual(expected);
    expect((await run({ sets: [set] })).ran).toEqual([]);
  });

  it('with another target runs that one alone', async () => {
    await run();
    const text = TEXT.replace('{ depth: 2, width: 16 }', '{ depth: 2, width: 16 }, { depth: 3, width: 8 }');
    expect((await run({ text })).ran).toEqual(['init/8x3', 'test/8x3', 'scratch/8x3']);
  });

  it('runs a target again that is of another size under the same name', async () => {
    const named = TEXT.replace('width: 8 }', 'width: 8, name: a }');
    await run({ text: named });
    const { ran } = await run({ text: named.replace('width: 8,', 'width: 24,') });
    expect(ran).toEqual(['init/a', 'test/a', 'scratch/a']);
  });

  it.each([
    ['missing', () => rmSync(at('bank', 'templates.safetensors'))],
    ['another one', () => writeFileSync(at('bank', 'templates.safetensors'), 'other')],
  ])('runs a stage again whose output is %s, and nothing that gets the same as before', async (_name, spoil) => {
    await run();
    spoil();
    expect((await run()).ran).toEqual(['bank']);
  });

  it('does not mind that files are touched', async () => {
    await run();
    utimesSync(at('bank', 'templates.safetensors'), 1, 1);
    expect((await run()).ran).toEqual([]);
  });

  it('runs again what was made by another version', async () => {
    await run();
    const record = at('ancestor', 'stage.json');
    writeFileSync(record, readFileSync(record, 'utf8').replace(/"tool": "[^"]+"/, '"tool": "0.0.1"'));
    const told = context();
    expect((await run({}, told)).ran).toEqual(['ancestor']);
    expect(told.events).toContainEqual({ type: 'note', text: '[1/8] ancestor: was made by version 0.0.1' });
  });

  it('runs again what reads other data, whatever its name or date', async () => {
    const data = join(root, 'data');
    writeFileSync(data, 'one');
    const options = { sets: [`stages.scratch.files=[${data}]`] };
    await run(options);
    utimesSync(data, 1, 1);
    expect((await run(options)).ran).toEqual([]);
    writeFileSync(data, 'two');
    expect((await run(options)).ran).toEqual(ALL.slice(6));
  });

  it('runs again what reads another file', async () => {
    const file = join(root, 'm.safetensors');
    const write = (value: number) =>
      writeSafetensors(file, [['a', { dtype: 'F32', shape: [1], data: Float32Array.of(value) }]]);
    const text = `stages: { bank: { ancestor: ${file} } }`;
    await write(1);
    expect((await run({ text })).ran).toEqual(['bank']);
    await write(1);
    expect((await run({ text })).ran).toEqual([]);
    await write(2);
    expect((await run({ text })).ran).toEqual(['bank']);
  });
});

describe('a selection', () => {
  beforeEach(async () => {
    await run();
  });

  it('--from runs a stage and all after it', async () => {
    expect((await run({ from: 'init' })).ran).toEqual(ALL.slice(2));
  });

  it('--from also runs what is not up to date before it', async () => {
    expect((await run({ from: 'scratch', sets: ['stages.test.seed=1'] })).ran).toEqual(ALL.slice(4));
  });

  it('--force runs all', async () => {
    expect((await run({ force: true })).ran).toEqual(ALL);
  });

  it('--only runs nothing else, and not what is up to date', async () => {
    const sets = ['seed=1'];
    expect((await run({ sets, only: ['test', 'scratch'] })).ran).toEqual(ALL.slice(4));
    expect((await run({ sets, only: ['scratch'] })).ran).toEqual([]);
    expect((await run({ sets, only: ['scratch'], force: true })).ran).toEqual(ALL.slice(6));
  });

  it('--only warns of what it uses and is out of date', async () => {
    const told = context();
    await run({ sets: ['seed=1'], only: ['test'] }, told);
    const warnings = told.events.flatMap((event) => (event.type === 'warning' ? [event.text] : []));
    expect(warnings).toEqual(
      ['bank', 'init 8x1', 'init 16x2'].map((name) => `${name} is out of date (seed was 0, is 1) and is used as it is`),
    );
  });

  it('--only shows no results that are out of date', async () => {
    const { report } = await run({ sets: ['stages.scratch.seed=1'], only: ['test'] });
    expect(report?.stages.map(({ status, results }) => [status, results !== null])).toEqual([
      ['left out', true],
      ['left out', true],
      ['left out', true],
      ['left out', true],
      ['up to date', true],
      ['up to date', true],
      ['left out', false],
      ['left out', false],
    ]);
  });

  it('--only refuses before anything is run when an input is not there', async () => {
    rmSync(at('init', '16x2'), { recursive: true });
    const { ran, error } = await run({ only: ['test'], force: true });
    expect(ran).toEqual([]);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error?.message).toBe(
      `stages.test.scalers: --only leaves out init 16x2, and ${at('init', '16x2', 'scalers.safetensors')} is not there ` +
        'or not finished; run init first',
    );
  });

  it.each([
    [{ from: 'inti' }, '--from: no stage is called "inti"; did you mean init?'],
    [
      { only: ['init', 'all'] },
      '--only: no stage is called "all"; expected one of ancestor, bank, init, test, scratch',
    ],
    [{ from: 'init', only: ['init'] }, '--from runs a stage and all after it, --only nothing else; give one of them'],
  ])('is refused: %j', async (selection, message) => {
    const { ran, error } = await run(selection);
    expect([ran, error?.message]).toEqual([[], message]);
  });
});

describe('a stage that fails', () => {
  it('is named, ends the run and is run again by the next one', async () => {
    fakes.onRun = ({ dir }) => {
      if (dir.endsWith('init/16x2')) throw new TrainingError('the loss is not a number');
    };
    const { ran, error } = await run();
    expect(ran).toEqual(ALL.slice(0, 4));
    expect(error).toBeInstanceOf(TrainingError);
    expect(error?.message).toBe('init 16x2: the loss is not a number');
    fakes.onRun = () => {};
    expect((await run()).ran).toEqual(ALL.slice(3));
  });

  it('keeps what it had made before with other settings, where it has not begun to replace it', async () => {
    await run();
    const before = readFileSync(at('bank', 'templates.safetensors'));
    fakes.onRun = ({ dir }) => {
      if (dir.endsWith('bank')) throw new ConfigError('no');
    };
    await run({ sets: ['stages.bank.seed=1'] });
    expect(readFileSync(at('bank', 'templates.safetensors')).equals(before)).toBe(true);
    expect((await run()).ran).toEqual([]);
  });
});

describe('an interruption', () => {
  /** Leaves a state, as training stages do. */
  const stopAt =
    (stage: string, state: string): Fakes['onRun'] =>
    (job, told) => {
      if (!job.dir.endsWith(stage)) return;
      mkdirSync(job.dir, { recursive: true });
      writeFileSync(join(job.dir, 'state.safetensors'), state);
      return interrupt(job, told);
    };

  it('says where it stopped, and the next run goes on from there', async () => {
    fakes.onRun = stopAt('bank', 'half');
    const { ran, error } = await run();
    expect(ran).toEqual(ALL.slice(0, 2));
    expect(error).toBeInstanceOf(InterruptedError);
    expect(error?.message).toBe('stopped at [2/8] bank; what is done is kept, and the same call goes on');
    fakes.onRun = () => {};
    expect((await run()).ran).toEqual(['bank resumed', ...ALL.slice(2)]);
  });

  it('between two stages starts no other', async () => {
    const told = context((event, stop) => {
      if (event.type === 'note' && event.text.startsWith('[2/8]')) stop();
    });
    const { ran, error } = await run({}, told);
    expect(ran).toEqual(ALL.slice(0, 2));
    expect(error?.message).toMatch(/^stopped at \[3\/8\] init 8x1; /);
  });

  it('does not go on with other settings', async () => {
    fakes.onRun = stopAt('bank', 'half');
    await run();
    fakes.onRun = () => {};
    expect((await run({ sets: ['stages.bank.seed=1'] })).ran).toEqual(ALL.slice(1));
  });

  it('does not go on with another input', async () => {
    fakes.onRun = stopAt('bank', 'half');
    await run();
    fakes.onRun = () => {};
    expect((await run({ sets: ['stages.ancestor.seed=1'] })).ran).toEqual(ALL);
  });

  it('does not go on with a state that an earlier run has left', async () => {
    await run();
    writeFileSync(at('bank', 'state.safetensors'), 'of the run before');
    const sets = ['stages.bank.seed=1'];
    // Killed before it came to a state of its own.
    fakes.onRun = interrupt;
    await run({ sets });
    fakes.onRun = () => {};
    expect((await run({ sets })).ran).toEqual(ALL.slice(1, 6));
  });

  it('goes on several times', async () => {
    for (const state of ['a third', 'two thirds']) {
      fakes.onRun = stopAt('bank', state);
      await run();
    }
    fakes.onRun = () => {};
    expect((await run()).ran[0]).toBe('bank resumed');
  });

  it('starts anew with --force', async () => {
    fakes.onRun = stopAt('bank', 'half');
    await run();
    fakes.onRun = () => {};
    expect((await run({ force: true })).ran).toEqual(ALL);
  });

  it('starts anew when the stage refuses its state', async () => {
    fakes.onRun = stopAt('bank', 'half');
    await run();
    fakes.onRun = ({ resume }) => {
      if (resume) throw new ConfigError('state.safetensors: was saved under another configuration');
    };
    const told = context();
    expect((await run({}, told)).ran).toEqual(['bank resumed', ...ALL.slice(1)]);
    expect(told.events).toContainEqual({
      type: 'note',
      text: 'cannot go on, so it starts anew: state.safetensors: was saved under another configuration',
    });
  });

  it('leaves temporary files that the next run removes', async () => {
    await run();
    const leftover = at('ancestor', '.model.safetensors.123.abc.tmp');
    const own = at('ancestor', 'mine.tmp');
    for (const path of [leftover, own]) writeFileSync(path, '');
    await run({ force: true });
    expect([existsSync(leftover), existsSync(own)]).toEqual([false, true]);
  });
});

describe('a folder', () => {
  it('with results that no pipeline has written is refused before anything is run, unless forced', async () => {
    mkdirSync(at('scratch', '8x1'), { recursive: true });
    writeFileSync(at('scratch', '8x1', 'model.safetensors'), 'precious');
    const { ran, error } = await run();
    expect(ran).toEqual([]);
    expect(error?.message).toBe(
      `${at('scratch', '8x1')}: holds model.safetensors, which no pipeline has written; choose another --out, or replace ` +
        'it with --force',
    );
    expect((await run({ force: true })).ran).toEqual(ALL);
  });

  it('with other files is used', async () => {
    mkdirSync(at('ancestor'), { recursive: true });
    writeFileSync(at('ancestor', 'notes.txt'), '');
    expect((await run()).ran).toEqual(ALL);
  });
});

describe('an input file', () => {
  it.each([
    ['is not there', 'ancestor: ./none.safetensors', /none\.safetensors: .*no such file/],
    ['is no checkpoint', 'ancestor: ./package.json', /package\.json: /],
  ])('that %s is told before anything is run', async (_name, input, message) => {
    const text = `stages:\n  a: { stage: make }\n  b: { stage: bank, ${input} }`;
    const { ran, error } = await run({ text });
    expect(ran).toEqual([]);
    expect(error?.message).toMatch(message);
  });
});

describe('a plan', () => {
  it('says what would be run and why, and writes nothing', async () => {
    await run();
    rmSync(at('scratch'), { recursive: true });
    const sets = [`out=${out}`, 'stages.init.train.lr=3'];
    const pipeline = await loadPipeline({ file: 'p.yaml', text: TEXT, sets, kinds: fakes.kinds });
    const plan = await planPipeline(pipeline);
    expect(plan.map(({ stage, target, status, reason }) => [stage, target, status, reason])).toEqual([
      ['ancestor', null, 'up to date', null],
      ['bank', null, 'up to date', null],
      ['init', '8x1', 'run', 'train.lr was 0.1, is 3'],
      ['init', '16x2', 'run', 'train.lr was 0.1, is 3'],
      ['test', '8x1', 'run', 'input scalers is new'],
      ['test', '16x2', 'run', 'input scalers is new'],
      ['scratch', '8x1', 'run', 'new'],
      ['scratch', '16x2', 'run', 'new'],
    ]);
    expect(existsSync(at('scratch'))).toBe(false);
  });
});

describe('a report', () => {
  it('has a row for each target with what its stages have measured', async () => {
    const { report } = await run({ sets: ['stages.scratch.train.steps=9'] });
    expect(report?.targets).toEqual([
      {
        name: '8x1',
        depth: 1,
        width: 8,
        parameters: 7,
        accuracy: { init: 0.5, test: 0.5, scratch: 0.5 },
        startAccuracy: {},
        steps: { init: 5, test: 5, scratch: 9 },
      },
      {
        name: '16x2',
        depth: 2,
        width: 16,
        parameters: 7,
        accuracy: { init: 0.5, test: 0.5, scratch: 0.5 },
        startAccuracy: {},
        steps: { init: 5, test: 5, scratch: 9 },
      },
    ]);
  });
});
