/** `wave finetune`: trains a model on a downstream set. */
import type { FinetuneResult } from '../../stages/finetune.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';
import { modelSource } from '../model-source.js';

export const finetuneCommand: Command = {
  positionals: [],
  flags: [flags.model, { ...flags.heads, group: 'Input' }, flags.templates, flags.scalers, ...flags.TRAINING],
  examples: [
    {
      command:
        'wave finetune --model runs/mnist/model.safetensors --config configs/mnist/finetune.yaml --out runs/finetuned',
      purpose: 'Go on with a model on other data, or on fewer images',
    },
    {
      command:
        'wave finetune --templates runs/bank/templates.safetensors --scalers runs/fit/scalers.safetensors --config configs/mnist/finetune.yaml --out runs/finetuned',
      purpose: 'The same from templates and scalers',
    },
    {
      command:
        "wave finetune --model deit_tiny.safetensors --heads 3 --config my.yaml --out runs/head --set 'train.freeze=[embeddings,blocks]'",
      purpose: 'Train only the last norm and the head of a timm checkpoint',
    },
    {
      command:
        'wave finetune --model runs/mnist/model.safetensors --config configs/mnist/finetune.yaml --out runs/finetuned --resume',
      purpose: 'Go on after an interruption',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const inputs = modelSource(args, '--model FILE');
  const [{ checkFinetune, finetune, finetuneSchema }, { loadSettings }] = await Promise.all([
    import('../../stages/finetune.js'),
    import('../settings.js'),
  ]);
  const settings = await loadSettings(finetuneSchema, args);
  if (args.has('dry-run')) {
    checkFinetune(settings.config);
    return settings.dryRun();
  }
  const out = { dir: args.needText('out'), force: args.has('force'), resume: args.has('resume') };
  const result = await finetune(settings.config, inputs, out, await session.startStage());
  return { data: result, text: await render(result) };
}

async function render(result: FinetuneResult): Promise<string> {
  const { renderTraining } = await import('../training-table.js');
  return renderTraining(result, [
    ['trainable', String(result.trainable)],
    ['head', result.head],
  ]);
}
