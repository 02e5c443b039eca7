/** `wave convert`: a checkpoint of timm or Hugging Face as a model of this suite. */
import { POSITION_FILTER_NAMES } from '../../model/choices.js';
import type { ConvertOptions, ConvertPlan } from '../../stages/convert.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';
import { imageSize, preprocessChanges } from '../preprocessing.js';

export const convertCommand: Command = {
  positionals: [
    {
      name: 'src',
      description:
        'a ViT checkpoint of timm or Hugging Face, or a model of wave: a safetensors file, an index of shards, or a ' +
        'folder that holds one',
    },
  ],
  flags: [
    flags.heads,
    {
      name: 'eps',
      type: 'number',
      value: 'NUMBER',
      description: 'Epsilon of the layer norms, for a checkpoint that does not say it',
      group: 'Options',
      min: 0,
    },
    {
      name: 'from-image',
      type: 'string',
      value: 'HxW',
      description: 'Image that the checkpoint was made for, where that is neither told nor square; pixels',
      group: 'Options',
    },
    {
      name: 'image',
      type: 'string',
      value: 'N|HxW',
      description: 'Image to resize the position embedding for, pixels',
      group: 'Options',
    },
    {
      name: 'position-filter',
      type: 'string',
      value: 'NAME',
      description: "Whose way of resizing positions: timm's (the default) or huggingface's",
      group: 'Options',
      choices: POSITION_FILTER_NAMES,
    },
    {
      name: 'fill-bias',
      type: 'boolean',
      description: 'Zeros for biases of queries, keys and values that the file does not have',
      group: 'Options',
    },
    {
      name: 'labels',
      type: 'string',
      value: 'FILE',
      description: 'Text file with the names of the classes, one on each line',
      group: 'Options',
    },
    ...flags.PREPROCESSING,
    flags.required({ name: 'out', type: 'string', value: 'FILE', description: 'File to write', group: 'Output' }),
    flags.force,
    {
      ...flags.dryRun,
      description: 'Read and check everything, say what would be written and write nothing',
      group: 'Output',
    },
    ...flags.EVERYWHERE,
  ],
  examples: [
    {
      command: 'wave convert vit-base-patch16-224 --out runs/vit/model.safetensors',
      purpose: 'A folder as the Hugging Face Hub has it: config.json says heads, epsilon and how images are prepared',
    },
    {
      command:
        'wave convert deit_tiny.safetensors --heads 3 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --out deit.safetensors',
      purpose: 'A file of timm alone, with what its config.json would say',
    },
    {
      command: 'wave convert runs/vit/model.safetensors --image 384 --out runs/vit-384/model.safetensors',
      purpose: 'The same model for larger images',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const options = given(args);
  const out = { path: args.needText('out'), force: args.has('force') };
  const { checkConvert, convert } = await import('../../stages/convert.js');
  if (args.has('dry-run')) {
    const plan = await checkConvert(options, out);
    return { data: { dryRun: true, ...plan }, text: await render(plan) };
  }
  const result = await convert(options, out, await session.startStage());
  return { data: result, text: await render(result) };
}

function given(args: Arguments): ConvertOptions {
  return {
    source: args.needText('src'),
    heads: args.number('heads'),
    eps: args.number('eps'),
    fromImage: imageSize(args, 'from-image', false),
    image: imageSize(args, 'image', true),
    positionFilter: POSITION_FILTER_NAMES.find((name) => name === args.text('position-filter')),
    fillBias: args.has('fill-bias'),
    labels: args.text('labels'),
    preprocess: preprocessChanges(args),
  };
}

async function render(plan: ConvertPlan): Promise<string> {
  const [{ renderPairs }, { count }] = await Promise.all([import('../table.js'), import('../progress-text.js')]);
  const { depth, width, hidden, channels, classes, patch, resized, preprocess, ignored, filled, labels } = plan;
  const size = [`depth ${depth}`, `width ${width}`, `MLP ${hidden}`, count(channels, 'channel')];
  return renderPairs([
    ['file', plan.path],
    ['format', FORMATS[plan.format]],
    ['size', [...size, `${classes} classes`].join(', ')],
    ['image', `${plan.image.join('x')}, patches of ${patch}`],
    ['heads', `${plan.heads} (${plan.headsFrom})`],
    ['epsilon', `${plan.eps} (${plan.epsFrom})`],
    ['parameters', String(plan.parameters)],
    ...(plan.joined === 0 ? [] : [['joined', `${plan.joined} parameters of several tensors each`] as const]),
    ...(ignored.length === 0 ? [] : [['ignored', ignored.join(', ')] as const]),
    ...(filled.length === 0 ? [] : [['zeros for', filled.join(', ')] as const]),
    ...(resized === null
      ? []
      : [['positions', `${resized.from.join('x')} resized to ${resized.to.join('x')} (${resized.filter})`] as const]),
    ['preprocessing', preprocess === null ? 'not known; give --mean and --std' : preprocessText(preprocess)],
    ...plan.notes.map((note) => ['note', note] as const),
    ['labels', labels === 0 ? 'none' : String(labels)],
  ]);
}

const FORMATS = { wave: 'wave', timm: 'timm', huggingface: 'Hugging Face' } as const satisfies Record<
  ConvertPlan['format'],
  string
>;

function preprocessText({ mean, std, resize, resize_mode, interpolation }: NonNullable<ConvertPlan['preprocess']>) {
  const resized = resize === undefined ? [] : [`resize ${resize.join('x')} (${resize_mode ?? 'shortest'})`];
  const filter = interpolation === undefined ? [] : [interpolation];
  return [`mean ${mean.join(' ')}`, `std ${std.join(' ')}`, ...resized, ...filter].join(', ');
}
