/** `wave init`: a model of a chosen depth and width. */
import { METHODS } from '../../init/registry.js';
import type { InitOptions, InitPlan } from '../../stages/init.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';

const [DEFAULT_METHOD] = METHODS;

export const initCommand: Command = {
  positionals: [],
  flags: [
    {
      name: 'method',
      type: 'string',
      value: 'NAME',
      description: 'How to initialise; see below',
      group: 'Options',
      choices: METHODS.map(({ name }) => name),
      default: DEFAULT_METHOD.name,
    },
    {
      name: 'templates',
      type: 'string',
      value: 'FILE',
      description: 'Template bank to start from: templates.safetensors, or a folder that holds one',
      group: 'Options',
    },
    {
      name: 'scalers',
      type: 'string',
      value: 'FILE',
      description:
        "The auxiliary model's scalers: a file, or a folder that holds them; those beside the templates if not given",
      group: 'Options',
    },
    {
      name: 'ancestor',
      type: 'string',
      value: 'FILE',
      description: 'Trained model to start from; a model of wave, or a ViT checkpoint of timm or Hugging Face',
      group: 'Options',
    },
    { ...flags.ancestorHeads, group: 'Options' },
    flags.required({ name: 'depth', type: 'integer', value: 'N', description: 'Blocks', group: 'Options', min: 1 }),
    flags.required({
      name: 'width',
      type: 'integer',
      value: 'N',
      description: 'Size of a token',
      group: 'Options',
      min: 1,
    }),
    { ...flags.heads, description: 'Attention heads; as many as keep the head size if not given' },
    {
      name: 'start',
      type: 'string',
      value: 'KIND',
      description: "Method wave: scalers inherited from the auxiliary model's (inherit, the default) or random",
      group: 'Options',
      choices: ['inherit', 'random'],
    },
    {
      ...flags.set,
      value: 'OPTION=VALUE',
      description: 'Change one option of the method; may be repeated',
      group: 'Options',
    },
    { ...flags.seed, group: 'Options', default: '0' },
    {
      name: 'materialise',
      type: 'boolean',
      description: 'Method wave: write the weights instead of the scalers',
      group: 'Output',
    },
    {
      ...flags.dryRun,
      description: 'Check flags, sizes and the files that are read, say what would be written and write nothing',
      group: 'Output',
    },
    flags.required({ name: 'out', type: 'string', value: 'FILE', description: 'File to write', group: 'Output' }),
    flags.force,
    ...flags.EVERYWHERE,
  ],
  sections: [{ title: 'Methods', rows: METHODS.map(({ name, summary }) => [name, summary]) }],
  examples: [
    {
      command:
        'wave init --templates runs/bank/templates.safetensors --depth 6 --width 96 --out runs/t/scalers.safetensors',
      purpose: 'Scalers of a target with 6 blocks of width 96',
    },
    {
      command:
        'wave init --templates runs/bank/templates.safetensors --depth 6 --width 96 --materialise --out runs/t/model.safetensors',
      purpose: 'The same as a model that eval, predict and timm read',
    },
    {
      command:
        'wave init --method weight-selection --ancestor runs/mnist/model.safetensors --depth 4 --width 64 --out runs/ws/model.safetensors',
      purpose: 'The baseline: slices of a larger model',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const name = args.needText('method');
  const [{ checkInit, initTarget }, { loadConfig }, { findMethod }] = await Promise.all([
    import('../../stages/init.js'),
    import('../../config/index.js'),
    import('../../init/index.js'),
  ]);
  const method = await findMethod(name).load();
  const options = loadConfig({
    schema: method.options,
    sets: args.list('set'),
    flags: { start: args.text('start') },
  });
  const chosen: InitOptions = {
    method: name,
    depth: args.needNumber('depth'),
    width: args.needNumber('width'),
    seed: args.needNumber('seed'),
    materialise: args.has('materialise'),
    options,
    ...given(args),
  };
  const out = { path: args.needText('out'), force: args.has('force') };
  if (args.has('dry-run')) {
    const plan = await checkInit(chosen, out);
    return { data: { dryRun: true, ...plan }, text: await render(plan) };
  }
  const result = await initTarget(chosen, out, await session.startStage());
  return { data: result, text: await render(result) };
}

/** Flags without a default, as far as they are given. */
function given(args: Arguments): Pick<InitOptions, 'ancestor' | 'ancestorHeads' | 'templates' | 'scalers' | 'heads'> {
  const [ancestor, templates, scalers] = ['ancestor', 'templates', 'scalers'].map((name) => args.text(name));
  const [heads, ancestorHeads] = ['heads', 'ancestor-heads'].map((name) => args.number(name));
  return {
    ...(ancestor !== undefined && { ancestor }),
    ...(ancestorHeads !== undefined && { ancestorHeads }),
    ...(templates !== undefined && { templates }),
    ...(scalers !== undefined && { scalers }),
    ...(heads !== undefined && { heads }),
  };
}

async function render(result: InitPlan): Promise<string> {
  const [{ renderPairs }, { count, share }] = await Promise.all([import('../table.js'), import('../progress-text.js')]);
  const { scalers, transferred } = result;
  return renderPairs([
    ['file', result.path],
    ['kind', result.kind],
    ['method', result.method],
    ['size', `depth ${result.depth}, width ${result.width}, ${count(result.heads, 'head')}`],
    ['parameters', String(result.parameters)],
    ...(scalers === undefined
      ? [['transferred', `${transferred} (${share(result.share)} of the parameters)`] as const]
      : // A bank may be larger than a small target, so it is no share of it.
        [
          ['templates', `bank of ${transferred} numbers (${result.share.toFixed(2)} x the target's size)`] as const,
          ['scalers', String(scalers)] as const,
        ]),
  ]);
}
