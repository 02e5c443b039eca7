/** `wave distill`: condenses an ancestor into a template bank. */
import { mebibytes } from '../../base/text.js';
import type { DistillResult } from '../../stages/distill.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';

export const distillCommand: Command = {
  positionals: [],
  flags: [flags.required(flags.answeringAncestor), flags.ancestorHeads, ...flags.TRAINING],
  examples: [
    {
      command: 'wave distill --ancestor runs/mnist --config configs/mnist/distill.yaml --out runs/bank',
      purpose: 'Condense a model of this suite into templates',
    },
    {
      command: 'wave distill --ancestor deit_tiny.safetensors --ancestor-heads 3 --config my.yaml --out runs/bank',
      purpose: 'The same for a checkpoint of timm',
    },
    {
      command:
        "wave distill --ancestor classifier.onnx --config configs/mnist/distill.yaml --out runs/bank --set onnx.gives=logits --set 'auxiliary={depth: 4, width: 128, heads: 4, patch: 7}'",
      purpose: 'From the answers of any image classifier in an ONNX file, which has no sizes to take over',
    },
    {
      command:
        "wave distill --ancestor runs/mnist --config configs/mnist/distill.yaml --out runs/single --set 'distill.sizes=[]'",
      purpose: 'Train the auxiliary model alone, as the paper does',
    },
    {
      command: 'wave distill --ancestor runs/mnist --config configs/mnist/distill.yaml --out runs/bank --resume',
      purpose: 'Go on after an interruption',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const [{ checkDistill, distill, distillSchema }, { loadSettings }] = await Promise.all([
    import('../../stages/distill.js'),
    import('../settings.js'),
  ]);
  const settings = await loadSettings(distillSchema, args);
  if (args.has('dry-run')) {
    checkDistill(settings.config, { ancestor: args.needText('ancestor') });
    return settings.dryRun();
  }
  const heads = args.number('ancestor-heads');
  const inputs = { ancestor: args.needText('ancestor'), ...(heads === undefined ? {} : { heads }) };
  const out = { dir: args.needText('out'), force: args.has('force'), resume: args.has('resume') };
  const result = await distill(settings.config, inputs, out, await session.startStage());
  return { data: result, text: await render(result) };
}

async function render(result: DistillResult): Promise<string> {
  const [{ renderTrained }, { share }, { sizeLabel }] = await Promise.all([
    import('../training-table.js'),
    import('../progress-text.js'),
    import('../../stages/distill-sizes.js'),
  ]);
  const { ancestorParameters, templateShare } = result;
  const counted = ancestorParameters === null ? '' : `, ${ancestorParameters} parameters`;
  const ofAncestor = templateShare === null ? '' : `, ${share(templateShare)} of the ancestor`;
  return renderTrained(
    result,
    [
      ['templates', result.templates],
      ['scalers', result.scalers],
    ],
    [
      ['ancestor', `${share(result.ancestorTrainTop1)} on training images${counted}`],
      ['bank', `${result.templateParameters} parameters${ofAncestor}`],
      ['auxiliary', `${result.scalerParameters} parameters in its scalers`],
      ['sizes', [result.auxiliary, ...result.sizes].map((size) => sizeLabel(size, result.auxiliary)).join(', ')],
      ['memory', `${mebibytes(result.peakMemory)} at most`],
    ],
  );
}
