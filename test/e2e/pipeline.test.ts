/** `wave run` as a process: run, run again, changed, killed, interrupted. */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PipelineReport } from '#wave/stages/pipeline/index.js';
import { Place, SETTINGS } from './support.js';

const place = new Place();
afterAll(() => place.remove());

const PIPELINE = `${SETTINGS}
targets:
  - { depth: 1, width: 32 }
  - { depth: 2, width: 16, name: narrow }
stages:
  ancestor: { stage: pretrain, train: { epochs: 12 } }
  scratch: { stage: pretrain, each: targets, train: { epochs: 2 } }
  again: { stage: eval, model: scratch }
`;

/** An ancestor, its bank, and two targets that are initialised, fitted and trained on. */
const METHOD = `${SETTINGS.replace('heads: 2', 'heads: 4')}
targets: [{ depth: 3, width: 32 }, { depth: 2, width: 16 }]
stages:
  ancestor: { stage: pretrain, train: { epochs: 12 } }
  bank: { stage: distill, ancestor: ancestor, distill: { sizes: [{ depth: 2, width: 16 }] } }
  init: { templates: bank }
  fit: { templates: bank, scalers: init, train: { epochs: 3 } }
  tuned: { stage: finetune, model: fit, train: { epochs: 3 } }
`;

beforeAll(() => {
  writeFileSync(place.at('p.yaml'), PIPELINE);
  writeFileSync(place.at('method.yaml'), METHOD);
});

/** Runs the pipeline; which tasks were run. */
async function ran(out: string, ...more: string[]): Promise<string[]> {
  const { stages } = await place.result<PipelineReport>(['run', 'p.yaml', '--out', out, ...more]);
  return stages
    .filter(({ status }) => status === 'run')
    .map(({ stage, target }) => [stage, target ?? ''].join(' ').trim());
}

const ALL = ['ancestor', 'scratch 32x1', 'scratch narrow', 'again 32x1', 'again narrow'];

describe('a pipeline', () => {
  it('is run, and then up to date', async () => {
    expect(await ran('whole')).toEqual(ALL);
    expect(await ran('whole')).toEqual([]);
    const { code, stdout, stderr } = await place.wave(['run', 'p.yaml', '--out', 'whole']);
    expect(code).toBe(0);
    expect(stderr).toBe(
      ['wave: checking what is up to date', ...ALL.map((name, i) => `wave: [${i + 1}/5] ${name}: up to date`), ''].join(
        '\n',
      ),
    );
    expect(stdout).toMatch(/^target +depth +width +parameters +scratch +again +scratch steps$/m);
    expect(stdout).toMatch(/^narrow +2 +16 +\d+ +(\d+\.\d %) +\1 +32$/m);
    expect(place.names('whole/scratch/narrow')).toEqual([
      'config.resolved.yaml',
      'metrics.jsonl',
      'model.safetensors',
      'stage.json',
      'state.safetensors',
    ]);
  });

  it('runs only what a changed setting is for', async () => {
    const changed = ['--set', 'stages.scratch.train.lr=1e-3'];
    expect(await ran('whole', ...changed)).toEqual(ALL.slice(1));
    expect(await ran('whole', ...changed)).toEqual([]);
  });

  it('is planned without being run', async () => {
    const { code, stdout } = await place.wave(['run', 'p.yaml', '--out', 'planned', '--dry-run']);
    expect(code).toBe(0);
    expect(stdout.match(/ run +new$/gm)).toHaveLength(5);
    expect(place.names('planned')).toBeUndefined();
  });

  it('with a mistake is not begun', async () => {
    writeFileSync(place.at('wrong.yaml'), PIPELINE.replace('model: scratch', 'model: scratsch'));
    const { code, stdout, stderr } = await place.wave(['run', 'wrong.yaml', '--out', 'wrong']);
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'wave: error: wrong.yaml:17:32: stages.again.model: no stage is called "scratsch", did you mean `scratch`?\n',
    });
    expect(place.names('wrong')).toBeUndefined();
  });
});

/** Runs the pipeline and sends a signal as soon as stderr shows what is waited for. */
function stopped(out: string, signal: NodeJS.Signals, sign: RegExp, file = 'p.yaml') {
  let sent = false;
  return place.wave(['run', file, '--out', out], {
    onStderr: (text, kill) => {
      if (sent || !sign.test(text)) return;
      sent = true;
      kill(signal);
    },
  });
}

describe('a pipeline that was stopped', () => {
  beforeAll(async () => {
    await ran('reference');
  });

  const sameAsReference = async (out: string) => {
    for (const stage of ['ancestor', 'scratch/32x1', 'scratch/narrow']) {
      const [found, expected] = await Promise.all(
        [out, 'reference'].map((folder) => place.tensors(folder, stage, 'model.safetensors')),
      );
      expect(found).toEqual(expected);
    }
  };

  it.each([
    ['as its first stage begins', /\[1\/5\] ancestor/],
    ['as training begins', /training 192 steps/],
    ['in the middle of a stage', /epoch 5: /],
    ['in the stage of a target', /\[3\/5\] scratch narrow[\s\S]*training/],
    ['in the last stage', /\[5\/5\]/],
  ])('by a kill %s is finished by the next run, with the same weights', async (name, sign) => {
    const out = `killed ${name}`;
    expect((await stopped(out, 'SIGKILL', sign)).signal).toBe('SIGKILL');
    await ran(out);
    await sameAsReference(out);
    expect(await ran(out)).toEqual([]);
    expect(place.names(`${out}/ancestor`)).toEqual(place.names('reference/ancestor'));
  });

  it('by Ctrl-C keeps what is done, and goes on where it was', async () => {
    const { code, stdout, stderr } = await stopped('stopped', 'SIGINT', /epoch 5: /);
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr).toMatch(
      /\nwave: interrupted: stopped at \[1\/5\] ancestor; what is done is kept, and the same call goes on\n$/,
    );
    const again = await place.wave(['run', 'p.yaml', '--out', 'stopped']);
    expect(again.stderr).toMatch(
      /\[1\/5\] ancestor: was not finished\n[\s\S]*training 192 steps of 32 images from step \d+\n/,
    );
    await sameAsReference('stopped');
  });
});

describe('a pipeline of the whole method', () => {
  const artifacts = [
    'bank/templates',
    'bank/scalers',
    ...['32x3', '16x2'].flatMap((target) => [
      `init/${target}/scalers`,
      `fit/${target}/scalers`,
      `fit/${target}/model`,
      `tuned/${target}/model`,
    ]),
  ];
  const run = (out: string) => place.result<PipelineReport>(['run', 'method.yaml', '--out', out]);

  it('killed once in every stage that trains ends as the one that was not', async () => {
    const { stages, targets } = await run('method');
    expect(stages.map(({ stage }) => stage).join(' ')).toBe('ancestor bank init init fit fit tuned tuned');
    for (const { accuracy, startAccuracy } of targets) {
      expect(startAccuracy.fit).toBeGreaterThan(0.4);
      expect(accuracy.tuned).toBeGreaterThan(0.5);
    }
    const told: string[] = [];
    for (const sign of [/ bank: [\s\S]*epoch 3: /, / fit 16x2: [\s\S]*epoch 1: /, / tuned 32x3: [\s\S]*training/]) {
      const { signal, stderr } = await stopped('bit by bit', 'SIGKILL', sign, 'method.yaml');
      expect(signal).toBe('SIGKILL');
      told.push(stderr);
    }
    // From the saved state, where there was one: the stage that was killed goes on at once in the next call.
    const goesOn = (task: string) =>
      new RegExp(
        `\\] ${task}: was not finished\\n(?:(?!wave: \\[)[^\\n]*\\n)*?wave: training \\d+ steps of 32 images from step [1-9]`,
      );
    expect(told[1]).toMatch(goesOn('bank'));
    expect(told[2]).toMatch(goesOn('fit 16x2'));
    await run('bit by bit');
    for (const artifact of artifacts) {
      const [found, expected] = await Promise.all(
        ['bit by bit', 'method'].map((out) => place.tensors(out, `${artifact}.safetensors`)),
      );
      expect(found, artifact).toEqual(expected);
    }
  });
});
