/** `wave pretrain`: trains a ViT from scratch. */
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';

const DRY_RUN =
  'Check flags, settings and the sizes of the model, print all settings as YAML and start nothing; no data is read';

export const pretrainCommand: Command = {
  positionals: [],
  flags: flags.TRAINING.map((flag) => (flag === flags.dryRun ? { ...flag, description: DRY_RUN } : flag)),
  examples: [
    {
      command: 'wave pretrain --config configs/mnist/pretrain.yaml --out runs/mnist',
      purpose: 'Train an ancestor on MNIST',
    },
    {
      command: 'wave pretrain --config configs/mnist/pretrain.yaml --out runs/short --set train.epochs=1 --seed 7',
      purpose: 'The same for one epoch, with another seed',
    },
    {
      command: 'wave pretrain --config configs/mnist/pretrain.yaml --out runs/mnist --resume',
      purpose: 'Go on after an interruption',
    },
    {
      command: 'wave pretrain --config configs/mnist/pretrain.yaml --out runs/mnist --dry-run',
      purpose: 'Only check the settings, and see all of them',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const [{ checkPretrain, pretrain, pretrainSchema }, { loadSettings }] = await Promise.all([
    import('../../stages/pretrain.js'),
    import('../settings.js'),
  ]);
  const settings = await loadSettings(pretrainSchema, args);
  if (args.has('dry-run')) {
    checkPretrain(settings.config);
    return settings.dryRun();
  }
  const out = { dir: args.needText('out'), force: args.has('force'), resume: args.has('resume') };
  const result = await pretrain(settings.config, out, await session.startStage());
  const { renderTraining } = await import('../training-table.js');
  return { data: result, text: renderTraining(result) };
}
