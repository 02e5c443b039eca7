/** `wave pretrain`: trains a ViT from scratch. */
import type { PretrainResult } from '../../stages/pretrain.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';

export const pretrainCommand: Command = {
  positionals: [],
  flags: [
    flags.required(flags.config),
    flags.set,
    flags.seed,
    flags.dryRun,
    flags.engine,
    flags.device,
    flags.threads,
    flags.required(flags.outFolder),
    flags.force,
    flags.progress,
    ...flags.EVERYWHERE,
  ],
  examples: [
    {
      command: 'wave pretrain --config configs/quickstart.yaml --out runs/ancestor',
      purpose: 'Train the ancestor of the quick start',
    },
    {
      command: 'wave pretrain --config configs/quickstart.yaml --out runs/short --set train.epochs=1 --seed 7',
      purpose: 'The same for one epoch, with another seed',
    },
    {
      command: 'wave pretrain --config configs/quickstart.yaml --out runs/ancestor --dry-run',
      purpose: 'Only check the settings, and see all of them',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const [{ pretrain, pretrainSchema }, { loadSettings }] = await Promise.all([
    import('../../stages/pretrain.js'),
    import('../settings.js'),
  ]);
  const settings = await loadSettings(pretrainSchema, args);
  if (args.has('dry-run')) return settings.dryRun();
  const out = { dir: args.needText('out'), force: args.has('force') };
  const result = await pretrain(settings.config, out, await session.startStage());
  return { data: result, text: await render(result) };
}

async function render(result: PretrainResult): Promise<string> {
  const [{ renderPairs }, { duration, share }] = await Promise.all([
    import('../table.js'),
    import('../progress-text.js'),
  ]);
  return renderPairs([
    ['model', result.model],
    ['top-1', share(result.top1)],
    ['top-5', share(result.top5)],
    ['loss', result.loss.toFixed(4)],
    ['parameters', String(result.parameters)],
    ['trained', `${result.steps} steps, ${result.epochs} epochs`],
    ['time', `${duration(result.seconds)}, ${Math.round(result.imagesPerSecond)} images/s`],
    ['engine', `${result.engine}/${result.device}`],
  ]);
}
