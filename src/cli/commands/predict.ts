/** `wave predict`: the most probable classes of images. */
import { existsSync } from 'node:fs';
import { ConfigError } from '../../base/errors.js';
import type { PredictResult } from '../../stages/predict.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';
import { preprocessChanges } from '../preprocessing.js';

const DEFAULT_TOP = 5;

export const predictCommand: Command = {
  positionals: [
    {
      name: 'model',
      description:
        'model.safetensors, or a folder that holds one; a model of wave, or a ViT checkpoint of timm or Hugging Face',
    },
    {
      name: 'input',
      description:
        'image files (made grey or colour as the model has one channel or three), folders of images, or safetensors ' +
        'files whose tensor "input" is F32 [batch, channels, height, width], already normalised',
      variadic: true,
    },
  ],
  flags: [
    {
      name: 'top',
      type: 'integer',
      value: 'N',
      description: 'Classes to show for each image',
      group: 'Options',
      default: String(DEFAULT_TOP),
      min: 1,
    },
    flags.heads,
    ...flags.PREPROCESSING,
    {
      name: 'logits',
      type: 'string',
      value: 'FILE',
      description: 'Also write the logits of all images to this safetensors file',
      group: 'Output',
    },
    { ...flags.force, description: 'Replace the file of --logits if it is already there' },
    flags.engine,
    flags.device,
    flags.threads,
    flags.progress,
    ...flags.EVERYWHERE,
  ],
  examples: [
    { command: 'wave predict runs/mnist/model.safetensors digit.png', purpose: 'Which digit is this?' },
    {
      command: 'wave predict runs/mnist/model.safetensors digits --top 1 --json',
      purpose: 'The best class of every image of a folder, for a script',
    },
    {
      command: 'wave predict vit_small_patch16_224.safetensors photo.jpg --heads 6 --mean 0.5 --std 0.5 --crop-pct 0.9',
      purpose: 'A checkpoint of timm without its config.json: what that would say is said by flags',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const logitsOut = args.text('logits');
  if (logitsOut !== undefined && existsSync(logitsOut) && !args.has('force')) {
    throw new ConfigError(`${logitsOut}: is already there; --force replaces it`);
  }
  const preprocess = preprocessChanges(args);
  const { predict } = await import('../../stages/predict.js');
  const heads = args.number('heads');
  const name = args.text('engine');
  const device = args.text('device');
  const threads = args.number('threads');
  const result = await predict(
    {
      model: args.needText('model'),
      inputs: [...args.list('input')],
      top: args.number('top') ?? DEFAULT_TOP,
      ...(heads !== undefined && { heads }),
      preprocess,
      ...(logitsOut !== undefined && { logitsOut }),
      engine: {
        ...(name !== undefined && { name }),
        ...(device !== undefined && { device }),
        ...(threads !== undefined && { threads }),
      },
    },
    await session.startStage(),
  );
  return { data: result, text: await render(result) };
}

async function render({ predictions }: PredictResult): Promise<string> {
  const [{ renderTable }, { share }] = await Promise.all([import('../table.js'), import('../progress-text.js')]);
  const several = new Set(predictions.filter(({ index }) => index > 0).map(({ input }) => input));
  // The input stands in its first row only, so that the eye finds where the next one begins.
  const rows = predictions.flatMap(({ input, index, top }) =>
    top.map((guess, rank) => [
      rank > 0 ? '' : several.has(input) ? `${input}[${index}]` : input,
      String(rank + 1),
      guess.label,
      String(guess.class),
      share(guess.probability),
    ]),
  );
  return renderTable(
    [
      { name: 'input' },
      { name: 'rank', align: 'right' },
      { name: 'label' },
      { name: 'class', align: 'right' },
      { name: 'probability', align: 'right' },
    ],
    rows,
  );
}
