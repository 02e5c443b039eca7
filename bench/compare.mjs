// Mean and spread of a comparison over several seeds, as Markdown tables: the figures of docs/results.md.
//
//   wave run configs/mnist/compare.yaml --seed 0 --out runs/compare-0      # and so on, one folder per seed
//   npm run -s bench:compare -- runs/compare-0 runs/compare-1 runs/compare-2
//
// Reads the records (stage.json) of finished stages. Every cell is the top-1 accuracy on the test images in percent: the
// mean over the folders and, after ±, the standard deviation (over n - 1), where there is more than one.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Rows of the table: what was done, the stages that did it for some target each, and the key of the number. */
const ROWS = [
  ['scratch, 300 steps', ['scratch-larger', 'scratch'], 'top1'],
  ['weight selection, start', ['selection-tuned'], 'startTop1'],
  ['weight selection, 300 steps', ['selection-tuned'], 'top1'],
  ["paper's form, start", ['random-fit'], 'startTop1'],
  ["paper's form, fit", ['random-fit'], 'top1'],
  ["paper's form, fit + 150 steps", ['random-tuned'], 'top1'],
  ['inherited, start', ['inherited-fit'], 'startTop1'],
  ['inherited, fit', ['inherited-fit'], 'top1'],
  ['inherited, fit + 150 steps', ['inherited-tuned'], 'top1'],
  ['multi-size, start', ['multi-fit'], 'startTop1'],
  ['multi-size, fit', ['multi-fit'], 'top1'],
  ['multi-size, fit + 150 steps', ['multi-tuned'], 'top1'],
];
const ONCE = ['ancestor', 'bank', 'bank-single'];

const folders = process.argv.slice(2);
const missing = folders.find((folder) => !existsSync(join(folder, 'ancestor', 'stage.json')));
if (folders.length === 0 || missing !== undefined) {
  const problem = missing === undefined ? 'no folder is given' : `${missing} holds no finished comparison`;
  console.error(`bench:compare: ${problem}; give the folders of finished runs of configs/mnist/compare.yaml`);
  process.exit(2);
}

/** The results that a stage has recorded; undefined where it was not run. */
function results(folder, ...place) {
  const path = join(folder, ...place, 'stage.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).results : undefined;
}

/** The results of whichever of the stages was run for a target. */
function measured(folder, stages, target) {
  return stages.map((stage) => results(folder, stage, target)).find((found) => found !== undefined);
}

function summary(values) {
  const known = values.filter((value) => value !== undefined && value !== null).map((value) => 100 * value);
  if (known.length === 0) return '-';
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  if (known.length === 1) return mean.toFixed(2);
  const spread = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (known.length - 1));
  return `${mean.toFixed(2)} ± ${spread.toFixed(2)}`;
}

function print(rows) {
  const [head, ...body] = rows.map((cells) => `| ${cells.join(' | ')} |`);
  console.log([head, `|${' --- |'.repeat(rows[0].length)}`, ...body, ''].join('\n'));
}

console.log(folders.length === 1 ? '1 seed\n' : `${folders.length} seeds\n`);
print([
  ['', 'top-1', 'numbers stored', 'of the ancestor'],
  ...ONCE.map((stage) => {
    const all = folders.map((folder) => results(folder, stage));
    const stored = all[0]?.templateParameters ?? all[0]?.parameters;
    const share = all[0]?.templateShare;
    return [
      stage,
      summary(all.map((one) => one?.top1)),
      `${stored ?? '-'}`,
      share === undefined ? '' : `${(100 * share).toFixed(1)} %`,
    ];
  }),
]);

const made = join(folders[0], 'multi');
const targets = existsSync(made) ? readdirSync(made).filter((name) => statSync(join(made, name)).isDirectory()) : [];
print([
  ['width x depth', ...targets],
  ...ROWS.map(([heading, stages, key]) => [
    heading,
    ...targets.map((target) => summary(folders.map((folder) => measured(folder, stages, target)?.[key]))),
  ]),
]);
