/** `wave run`: a pipeline of stages from one file; what is up to date is skipped. */
import type { StageEvent } from '../../stages/context.js';
import type { Selection } from '../../stages/pipeline/plan.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';
import { FLAG_NAMES, flagSettings } from '../settings.js';

export const runCommand: Command = {
  positionals: [{ name: 'pipeline', description: 'YAML file that lists the stages; docs/pipeline.md describes it' }],
  flags: [
    flags.set,
    flags.seed,
    {
      ...flags.dryRun,
      description:
        'Check the whole pipeline, list what would be run and why, and start nothing; data and inputs are read to tell what is up to date',
    },
    {
      name: 'from',
      type: 'string',
      value: 'STAGE',
      description: 'Run this stage and all after it, even if they are up to date',
      group: 'Options',
    },
    {
      name: 'only',
      type: 'string',
      value: 'STAGE[,STAGE]',
      description: 'Leave all other stages as they are; what these read must be there',
      group: 'Options',
    },
    flags.engine,
    flags.device,
    flags.threads,
    {
      ...flags.outFolder,
      description:
        'Folder of all results: one folder per stage in it, and one per target in that (default: out: of the file)',
    },
    { ...flags.force, description: 'Run all stages, even if they are up to date, and replace what is already there' },
    flags.progress,
    ...flags.EVERYWHERE,
  ],
  examples: [
    { command: 'wave run configs/quickstart.yaml', purpose: 'Run what is not up to date' },
    { command: 'wave run configs/quickstart.yaml --dry-run', purpose: 'Only say what would be run, and why' },
    {
      command: 'wave run configs/quickstart.yaml --from fit --set stages.fit.train.steps=300',
      purpose: 'Everything from one stage on, with another setting',
    },
    { command: 'wave run configs/quickstart.yaml --only ancestor,bank', purpose: 'Only some of the stages' },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const [{ loadPipeline, planPipeline, runPipeline }, tables] = await Promise.all([
    import('../../stages/pipeline/index.js'),
    import('../pipeline-tables.js'),
  ]);
  const pipeline = await loadPipeline({
    file: args.needText('pipeline'),
    sets: args.list('set'),
    flags: { ...flagSettings(args), out: args.text('out') },
    flagNames: FLAG_NAMES,
  });
  const only = args.text('only');
  const selection: Selection = {
    from: args.text('from'),
    only: only?.split(',').map((name) => name.trim()),
    force: args.has('force'),
  };
  if (args.has('dry-run')) {
    const emit = (event: StageEvent) => {
      if (event.type === 'note') session.warn(event.text);
    };
    const stages = await planPipeline(pipeline, selection, { emit });
    return { data: { dryRun: true, out: pipeline.out, stages }, text: tables.renderPlan(pipeline.out, stages) };
  }
  const result = await runPipeline(pipeline, await session.startStage(), selection);
  return { data: result, text: tables.renderReport(result) };
}
