/** `wave eval`: accuracy of a model on a data set, with an optional lower limit for scripts. */
import { CheckError } from '../../base/errors.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';
import { modelSource } from '../model-source.js';

export const evalCommand: Command = {
  positionals: [
    {
      name: 'model',
      optional: true,
      description:
        'model.safetensors, or a folder that holds one; a model of wave, or a ViT checkpoint of timm or Hugging Face; or ' +
        'any image classifier in a file that ends in .onnx, or a folder with model.onnx. Instead of it, give --templates and --scalers',
    },
  ],
  flags: [
    {
      ...flags.required(flags.config),
      description: 'YAML file with the settings; that of a training run serves as it is',
    },
    flags.set,
    flags.dryRun,
    flags.heads,
    flags.templates,
    flags.scalers,
    {
      name: 'min-accuracy',
      type: 'number',
      value: 'SHARE',
      description: 'Exit with 3 if the top-1 accuracy is below this share, 0 to 1',
      group: 'Options',
      min: 0,
      max: 1,
    },
    flags.engine,
    flags.device,
    flags.threads,
    flags.progress,
    ...flags.EVERYWHERE,
  ],
  examples: [
    {
      command: 'wave eval runs/mnist/model.safetensors --config configs/mnist/pretrain.yaml',
      purpose: 'How good is the model?',
    },
    {
      command: 'wave eval runs/mnist/model.safetensors --config configs/mnist/pretrain.yaml --min-accuracy 0.97',
      purpose: 'Let a script fail when it is not good enough',
    },
    {
      command: 'wave eval classifier.onnx --config my.yaml --set onnx.gives=logits',
      purpose: 'How good is any image classifier in an ONNX file?',
    },
    {
      command:
        'wave eval --templates runs/bank/templates.safetensors --scalers runs/64x3.safetensors --config configs/mnist/pretrain.yaml',
      purpose: 'How good are scalers, before or after they are fitted?',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const source = modelSource(args, 'MODEL');
  const [{ evaluate, evaluateSchema }, { loadSettings }] = await Promise.all([
    import('../../stages/evaluate.js'),
    import('../settings.js'),
  ]);
  const settings = await loadSettings(evaluateSchema, args);
  if (args.has('dry-run')) return settings.dryRun();
  const result = await evaluate(source, settings.config, await session.startStage());
  const [{ renderTable }, { share }] = await Promise.all([import('../table.js'), import('../progress-text.js')]);
  const columns = ['top-1', 'top-5', 'loss', 'images', 'images/s'];
  const text = renderTable(
    columns.map((name) => ({ name, align: 'right' })),
    [
      [
        share(result.top1),
        share(result.top5),
        result.loss.toFixed(4),
        String(result.images),
        String(Math.round(result.imagesPerSecond)),
      ],
    ],
  );
  const limit = args.number('min-accuracy');
  if (limit === undefined || result.top1 >= limit) return { data: result, text };
  const name = 'model' in source ? source.model : source.scalers;
  const failure = new CheckError(`${name}: top-1 accuracy must be at least ${limit}; found ${result.top1}`);
  return { data: result, text, failure };
}
