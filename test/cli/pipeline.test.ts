/** `wave run`: what it hands to the pipeline, and how it prints what comes back. Only the pipeline is a fake. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { PipelineReport, TaskReport } from '#wave/stages/pipeline/index.js';
import { onlyDocument, wave } from './support.js';

const loadPipeline = vi.fn();
const planPipeline = vi.fn();
const runPipeline = vi.fn();
vi.mock('#wave/stages/pipeline/index.js', () => ({ loadPipeline, planPipeline, runPipeline }));

const task: TaskReport = {
  stage: 'ancestor',
  kind: 'pretrain',
  target: null,
  dir: 'runs/q/ancestor',
  status: 'up to date',
  reason: null,
  inputs: {},
  outputs: { model: 'runs/q/ancestor/model.safetensors' },
  seconds: 83.2,
  results: { top1: 0.976 },
  measures: { accuracy: 0.976, steps: 2814, parameters: 303_000 },
};
const fit: TaskReport = {
  ...task,
  stage: 'fit',
  kind: 'fit',
  target: '64x3',
  dir: 'runs/q/fit/64x3',
  status: 'run',
  reason: 'train.lr was 0.1, is 0.2',
  inputs: { templates: 'runs/q/bank/templates.safetensors', scalers: 'elsewhere/scalers.safetensors' },
  measures: { accuracy: 0.95, steps: 150 },
};
const bank: TaskReport = {
  ...task,
  stage: 'bank',
  kind: 'distill',
  status: 'left out',
  reason: 'seed was 0, is 1',
  seconds: null,
  results: null,
  measures: { parameters: 26_000, ofAncestor: 0.0858 },
};
const report: PipelineReport = {
  out: 'runs/q',
  stages: [task, bank, fit],
  targets: [
    {
      name: '64x3',
      depth: 3,
      width: 64,
      parameters: 150_000,
      accuracy: { fit: 0.95 },
      startAccuracy: { fit: 0.9 },
      steps: { fit: 150 },
    },
    { name: 'narrow', depth: 6, width: 32, heads: 1, parameters: null, accuracy: {}, startAccuracy: {}, steps: {} },
  ],
};
const pipeline = { out: 'runs/q' };

beforeEach(() => {
  vi.resetAllMocks();
  loadPipeline.mockResolvedValue(pipeline);
  planPipeline.mockResolvedValue(report.stages);
  runPipeline.mockResolvedValue(report);
});

describe('run', () => {
  it('hands the file and all flags to the pipeline', async () => {
    const words = [
      'run',
      'q.yaml',
      '--set',
      'a=1',
      '--seed',
      '7',
      '--device',
      'webgpu',
      '--threads',
      '2',
      '--out',
      'o',
    ];
    await wave([...words, '--only', 'init, fit', '--force']);
    expect(loadPipeline).toHaveBeenCalledWith({
      file: 'q.yaml',
      sets: ['a=1'],
      flags: { seed: 7, 'engine.device': 'webgpu', 'engine.threads': 2, 'engine.name': undefined, out: 'o' },
      flagNames: { 'engine.name': '--engine' },
    });
    const [given, context, selection] = runPipeline.mock.calls[0];
    expect(given).toBe(pipeline);
    expect(selection).toEqual({ only: ['init', 'fit'], force: true });
    expect(context.signal.aborted).toBe(false);
    await wave(['run', 'q.yaml', '--from', 'fit']);
    expect(runPipeline.mock.calls[1][2]).toEqual({ from: 'fit', force: false });
  });

  it('prints the stages, and a row for each target', async () => {
    const { code, stdout } = await wave(['run', 'q.yaml']);
    expect(code).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "stage     parameters  of ancestor   top-1  steps  time  status
      --------  ----------  -----------  ------  -----  ----  ----------
      ancestor      303000               97.6 %   2814  1:23  up to date
      bank           26000        8.6 %                       left out

      target  depth  width  parameters  fit start     fit  fit steps
      ------  -----  -----  ----------  ---------  ------  ---------
      64x3        3     64      150000     90.0 %  95.0 %        150
      narrow      6     32

      results in runs/q
      "
    `);
  });

  it('leaves out the table that has no rows', async () => {
    runPipeline.mockResolvedValue({ ...report, stages: [task], targets: [] });
    const { stdout } = await wave(['run', 'q.yaml']);
    expect(stdout.split('\n').filter((line) => line.startsWith('target'))).toEqual([]);
  });

  it('prints everything as JSON', async () => {
    const { stdout } = await wave(['run', 'q.yaml', '--json']);
    expect(onlyDocument(stdout)).toEqual({ ok: true, result: report });
  });

  it('prints the plan and runs nothing with --dry-run', async () => {
    const { stdout } = await wave(['run', 'q.yaml', '--dry-run', '--from', 'fit']);
    expect(stdout).toMatchInlineSnapshot(`
      "stage     target  kind      inputs                                                 plan        why
      --------  ------  --------  -----------------------------------------------------  ----------  ------------------------
      ancestor          pretrain                                                         up to date
      bank              distill                                                          left out    seed was 0, is 1
      fit       64x3    fit       templates bank, scalers elsewhere/scalers.safetensors  run         train.lr was 0.1, is 0.2
      "
    `);
    expect(planPipeline).toHaveBeenCalledWith(pipeline, { from: 'fit', force: false }, { emit: expect.any(Function) });
    expect(runPipeline).not.toHaveBeenCalled();
    const { stdout: json } = await wave(['run', 'q.yaml', '--dry-run', '--json']);
    expect(onlyDocument(json)).toEqual({ ok: true, result: { dryRun: true, out: 'runs/q', stages: report.stages } });
  });

  it('needs a file', async () => {
    const { code, stderr } = await wave(['run']);
    expect(code).toBe(2);
    expect(stderr).toContain('PIPELINE is missing: YAML file that lists the stages');
  });
});
