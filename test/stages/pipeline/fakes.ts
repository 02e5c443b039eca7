/** Kinds of stages that only write their settings into a file, and remember how often they were run. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError, InterruptedError } from '#wave/base/errors.js';
import type { ArtifactKind } from '#wave/checkpoint/index.js';
import type { StageContext } from '#wave/stages/context.js';
import { defineKind, type Job, type StageKind } from '#wave/stages/pipeline/kind.js';
import { type LoadPipelineOptions, loadPipeline } from '#wave/stages/pipeline/load.js';

const shape = {
  seed: z.int().default(0),
  train: z.strictObject({ lr: z.number().default(0.1), steps: z.int().min(1).default(5) }).prefault({}),
  files: z.array(z.string()).default([]),
};
const schema = z.strictObject(shape);
type FakeConfig = z.output<typeof schema>;

/** Called when a task runs, before it writes; may throw. */
export type OnRun = (job: Job<FakeConfig>, context: StageContext) => void | Promise<void>;

export interface Fakes {
  readonly kinds: ReadonlyMap<string, StageKind>;
  /** Folders of the tasks that were run, in order, with `resume` where it was asked for. */
  readonly runs: string[];
  onRun: OnRun;
}

function fake(
  fakes: Fakes,
  makes: readonly ArtifactKind[],
  more: Partial<Pick<StageKind, 'roles' | 'ways' | 'perTarget'>>,
): StageKind {
  const outputs = Object.fromEntries(makes.map((kind) => [kind, `${kind}.safetensors`]));
  return defineKind({
    schema,
    roles: {},
    ways: [],
    perTarget: 'inputs',
    ...more,
    prepare(config, { target }) {
      if (target !== undefined && target.width % 8 !== 0) throw new ConfigError(`width ${target.width} is odd`);
      return config;
    },
    outputs: () => outputs,
    dataFiles: ({ files }) => files,
    async run(job, context) {
      fakes.runs.push(job.resume ? `${job.dir} resumed` : job.dir);
      await fakes.onRun(job, context);
      mkdirSync(job.dir, { recursive: true });
      const content = Object.values(job.inputs).map((path) => readFileSync(path, 'utf8'));
      for (const name of Object.values(outputs)) {
        writeFileSync(join(job.dir, name), JSON.stringify([job.config, job.target, content]));
      }
      return { top1: 0.5, steps: job.config.train.steps, parameters: 7 };
    },
    measure: ({ top1, steps, parameters }) => ({
      accuracy: Number(top1),
      steps: Number(steps),
      parameters: Number(parameters),
    }),
  });
}

/** `make` makes a model, `bank` templates and scalers of one, `scale` scalers per target, `use` reads any of them. */
export function makeFakes(): Fakes {
  const fakes: Fakes = { runs: [], onRun: () => {}, kinds: new Map() };
  const kinds = new Map([
    ['make', fake(fakes, ['model'], { perTarget: 'optional' })],
    ['bank', fake(fakes, ['templates', 'scalers'], { roles: { ancestor: 'model' }, ways: [['ancestor']] })],
    [
      'scale',
      fake(fakes, ['scalers'], { roles: { templates: 'templates' }, ways: [['templates']], perTarget: 'always' }),
    ],
    [
      'use',
      fake(fakes, [], {
        roles: { model: 'model', templates: 'templates', scalers: 'scalers' },
        ways: [['model'], ['templates', 'scalers']],
      }),
    ],
  ]);
  return Object.assign(fakes, { kinds });
}

/** As a user interrupts. */
export const interrupt: OnRun = () => {
  throw new InterruptedError('stopped');
};

/** Loads a pipeline of fake stages from its text. */
export function load(text: string, fakes: Fakes = makeFakes(), more: Partial<LoadPipelineOptions> = {}) {
  return loadPipeline({ file: 'p.yaml', text, kinds: fakes.kinds, ...more });
}
