/** `wave data`: what images a configuration names, and what they are like, before anything is trained on them. */
import { ConfigError } from '../../base/errors.js';
import type { DataListing, SplitListing } from '../../stages/data/list.js';
import type { Samples } from '../../stages/data/samples.js';
import type { DataStatistics, Spread } from '../../stages/data/statistics.js';
import type { Arguments } from '../arguments.js';
import type { Command, Flag, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';
import { didYouMean } from '../suggest.js';

const ACTIONS = ['ls', 'stats'] as const;
/** Broken images that the text names; `--json` names more. */
const MOST_SHOWN = 20;

/** Flags that only `stats` has. */
const STATS_FLAGS: readonly Flag[] = [
  {
    name: 'split',
    type: 'string',
    value: 'NAME',
    description: 'stats: what to measure, train (if not given) or test',
    group: 'Options',
    choices: ['train', 'test'],
  },
  {
    name: 'limit',
    type: 'integer',
    value: 'N',
    description: 'stats: measure N images, spread evenly over those in use; all if not given',
    group: 'Options',
    min: 1,
  },
  {
    name: 'samples',
    type: 'string',
    value: 'FILE.png',
    description: 'stats: also draw training images as the model sees them, with all random changes',
    group: 'Output',
  },
  { ...flags.force, description: 'Replace the file of --samples if it is already there' },
];

export const dataCommand: Command = {
  positionals: [
    { name: 'action', description: 'ls: splits, classes and numbers of images; stats: measure the images themselves' },
  ],
  flags: [
    {
      ...flags.required(flags.config),
      description: 'YAML file with the settings; that of a training run serves as it is',
    },
    flags.set,
    flags.seed,
    flags.dryRun,
    ...STATS_FLAGS,
    flags.progress,
    ...flags.EVERYWHERE,
  ],
  examples: [
    { command: 'wave data ls --config configs/mnist/pretrain.yaml', purpose: 'Is all there, and under which names?' },
    {
      command: 'wave data stats --config configs/mnist/pretrain.yaml --samples runs/samples.png',
      purpose: 'Sizes, mean and deviation, broken files, and a look at what the model sees',
    },
    {
      command: 'wave data stats --config configs/mnist/pretrain.yaml --split test --limit 1000 --json',
      purpose: 'The test split, a part of it, for a script',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const action = args.needText('action');
  if (action !== 'ls' && action !== 'stats') {
    throw new ConfigError(
      `unknown action "${action}"${didYouMean(action, ACTIONS)}; give ls or stats, see wave data --help`,
    );
  }
  if (action === 'ls') refuseStatsFlags(args);
  const [{ evaluateSchema }, { loadSettings }] = await Promise.all([
    import('../../stages/evaluate.js'),
    import('../settings.js'),
  ]);
  const settings = await loadSettings(evaluateSchema, args);
  if (args.has('dry-run')) return settings.dryRun();
  return action === 'ls' ? await list(settings.config) : await measure(settings.config, args, session);
}

function refuseStatsFlags(args: Arguments): void {
  const given = STATS_FLAGS.filter(({ name, type }) =>
    type === 'boolean'
      ? args.has(name)
      : type === 'integer'
        ? args.number(name) !== undefined
        : args.text(name) !== undefined,
  );
  if (given.length === 0) return;
  throw new ConfigError(
    given.map(({ name }) => `flag --${name} is for wave data stats; leave it out, or call stats`).join('\n'),
  );
}

type DataSettings = Parameters<typeof import('../../stages/data/list.js').listData>[0];

async function list(config: DataSettings): Promise<Outcome> {
  const { listData } = await import('../../stages/data/list.js');
  const listing = await listData(config);
  const outcome = { data: listing, text: await renderListing(listing) };
  return listing.problem === null ? outcome : { ...outcome, failure: new ConfigError(listing.problem) };
}

async function renderListing({ splits, classes, notes }: DataListing): Promise<string> {
  const { renderTable } = await import('../table.js');
  const right = (name: string) => ({ name, align: 'right' as const });
  const columns = [{ name: 'split' }, right('images'), right('in use'), right('classes'), right('seen as')];
  const ofSplits = renderTable([...columns, { name: 'from' }], splits.map(splitRow));
  const count = (images: number | null) => (images === null ? '-' : String(images));
  const ofClasses = renderTable(
    [right('class'), { name: 'name' }, ...splits.map(({ split }) => right(split))],
    classes.map((row) => [String(row.index), row.name ?? '', ...splits.map(({ split }) => count(row[split]))]),
  );
  const told = notes.map((note) => `\n${note}\n`).join('');
  return `${ofSplits}\n${ofClasses}${told}`;
}

function splitRow({ split, source, name, images, used, classes, image, channels, leftOut }: SplitListing): string[] {
  const without = leftOut > 0 ? `, ${leftOut} ${leftOut === 1 ? 'sample' : 'samples'} left out` : '';
  const seen = `${image.join('x')}x${channels}`;
  return [split, String(images), String(used), String(classes), seen, `${source} ${name}${without}`];
}

async function measure(config: DataSettings, args: Arguments, session: Session): Promise<Outcome> {
  const [{ measureData }, { checkSamples, drawSamples }] = await Promise.all([
    import('../../stages/data/statistics.js'),
    import('../../stages/data/samples.js'),
  ]);
  const split = args.text('split') === 'test' ? 'test' : 'train';
  const path = args.text('samples');
  const out = path === undefined ? undefined : { path, force: args.has('force') };
  // Before the long part.
  if (out) await checkSamples(out);
  const context = await session.startStage();
  const found = await measureData(config, { split, limit: args.number('limit') }, context);
  const samples = out ? await drawSamples(config, out, context) : undefined;
  return { data: samples ? { ...found, samples } : found, text: await renderStatistics(found, samples) };
}

async function renderStatistics(found: DataStatistics, samples: Samples | undefined): Promise<string> {
  const { renderPairs, renderTable } = await import('../table.js');
  const { broken, sizes, differentSizes } = found;
  const numbers = (values: readonly number[]) => values.map((value) => value.toFixed(4)).join(', ');
  const given = (values: readonly number[]) => `${values.join(', ')} in the settings`;
  const often = sizes.map(({ width, height, images }) => `${width}x${height} (${images})`).join(', ');
  const facts = renderPairs([
    ['split', found.split],
    ['from', found.name],
    ['images', `${found.measured} measured of ${found.images} in use`],
    ['cannot be read', String(broken.count)],
    ['width', spread(found.width)],
    ['height', spread(found.height)],
    ['sizes', `${differentSizes} different${often === '' ? '' : `, most frequent ${often}`}`],
    ['seen as', found.image.join('x')],
    ['mean', `${numbers(found.mean)} (${given(found.settings.mean)})`],
    ['std', `${numbers(found.std)} (${given(found.settings.std)})`],
    ...(samples ? [['samples', `${samples.path}, ${samples.images} images`] as const] : []),
  ]);
  if (broken.count === 0) return facts;
  const rows = broken.images.slice(0, MOST_SHOWN).map(({ name, reason }) => [name, reason]);
  const more = broken.count > rows.length ? `and ${broken.count - rows.length} more\n` : '';
  return `${facts}\n${renderTable([{ name: 'cannot be read' }, { name: 'reason' }], rows)}${more}`;
}

function spread(found: Spread | null): string {
  return found ? `${found.min} to ${found.max}, median ${found.median}` : '-';
}
