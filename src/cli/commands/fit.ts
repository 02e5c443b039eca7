/** `wave fit`: trains the scalers of a target on a little data. */
import { ConfigError } from '../../base/errors.js';
import type { FitInputs, FitResult } from '../../stages/fit.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';

export const fitCommand: Command = {
  positionals: [],
  flags: [
    flags.required(flags.templates),
    flags.required(flags.scalers),
    { ...flags.answeringAncestor, description: `${flags.answeringAncestor.description}; to distil from` },
    flags.ancestorHeads,
    ...flags.TRAINING,
  ],
  examples: [
    {
      command:
        'wave fit --templates runs/bank/templates.safetensors --scalers runs/target/scalers.safetensors --config configs/mnist/fit.yaml --out runs/fit',
      purpose: 'Fit the scalers of a target to the labels of a few images',
    },
    {
      command:
        'wave fit --templates runs/bank/templates.safetensors --scalers runs/target/scalers.safetensors --ancestor runs/mnist --config configs/mnist/fit.yaml --out runs/fit',
      purpose: 'To the answers of the ancestor as well',
    },
    {
      command:
        'wave fit --templates runs/bank/templates.safetensors --scalers runs/target/scalers.safetensors --config configs/mnist/fit.yaml --out runs/fit --set data.limit=600 --set train.steps=50',
      purpose: 'On fewer images, in fewer steps',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const inputs = fitInputs(args);
  const [{ checkFit, fit: fitScalers, fitSchema }, { loadSettings }] = await Promise.all([
    import('../../stages/fit.js'),
    import('../settings.js'),
  ]);
  const settings = await loadSettings(fitSchema, args);
  if (args.has('dry-run')) {
    checkFit(settings.config, inputs);
    return settings.dryRun();
  }
  const out = { dir: args.needText('out'), force: args.has('force'), resume: args.has('resume') };
  const result = await fitScalers(settings.config, inputs, out, await session.startStage());
  return { data: result, text: await render(result) };
}

function fitInputs(args: Arguments): FitInputs {
  const [ancestor, heads] = [args.text('ancestor'), args.number('ancestor-heads')];
  if (ancestor === undefined && heads !== undefined) {
    throw new ConfigError('--ancestor-heads is for an ancestor; leave it out, or give --ancestor');
  }
  return {
    templates: args.needText('templates'),
    scalers: args.needText('scalers'),
    ...(ancestor === undefined ? {} : { ancestor }),
    ...(heads === undefined ? {} : { heads }),
  };
}

async function render(result: FitResult): Promise<string> {
  const [{ renderTrained }, { share }] = await Promise.all([
    import('../training-table.js'),
    import('../progress-text.js'),
  ]);
  const start = result.startTop1;
  const ancestor = result.ancestorTrainTop1;
  return renderTrained(
    result,
    [
      ['scalers', result.scalers],
      ['model', result.model],
    ],
    [
      ...(start === undefined ? [] : [['at start', `top-1 ${share(start)}`] as const]),
      ...(ancestor === undefined ? [] : [['ancestor', `${share(ancestor)} on training images`] as const]),
      ['parameters', `${result.scalerParameters} trained, of a model of ${result.parameters}`],
      ['head', result.head],
    ],
  );
}
