/** `wave finetune`: trains a model on a downstream set. */
import { ConfigError } from '../../base/errors.js';
import type { FinetuneResult } from '../../stages/finetune.js';
import type { StartInputs } from '../../stages/start-model.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';

export const finetuneCommand: Command = {
  positionals: [],
  flags: [
    flags.model,
    { ...flags.heads, group: 'Input' },
    flags.templates,
    flags.scalers,
    flags.required(flags.config),
    flags.set,
    flags.seed,
    flags.dryRun,
    flags.engine,
    flags.device,
    flags.threads,
    flags.required(flags.outFolder),
    flags.force,
    flags.resume,
    flags.progress,
    ...flags.EVERYWHERE,
  ],
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
        'wave finetune --model deit_tiny.safetensors --heads 3 --config my.yaml --out runs/head --set train.freeze=[embeddings,blocks]',
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
  const inputs = startInputs(args);
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

/** @throws ConfigError unless exactly one of the two ways to name a model is taken. */
function startInputs(args: Arguments): StartInputs {
  const [model, templates, scalers] = [args.text('model'), args.text('templates'), args.text('scalers')];
  const heads = args.number('heads');
  if (model !== undefined && templates === undefined && scalers === undefined) {
    return { model, ...(heads === undefined ? {} : { heads }) };
  }
  if (model === undefined && templates !== undefined && scalers !== undefined) {
    if (heads === undefined) return { templates, scalers };
    throw new ConfigError('--heads is for a checkpoint given by --model: scalers know their heads; leave it out');
  }
  const given = Object.entries({ model, templates, scalers }).filter(([, path]) => path !== undefined);
  const found = given.length === 0 ? 'none of them' : given.map(([name]) => `--${name}`).join(' and ');
  throw new ConfigError(`give --model FILE, or --templates FILE and --scalers FILE; found ${found}`);
}

async function render(result: FinetuneResult): Promise<string> {
  const { renderTraining } = await import('../training-table.js');
  return renderTraining(result, [
    ['trainable', String(result.trainable)],
    ['head', result.head],
  ]);
}
