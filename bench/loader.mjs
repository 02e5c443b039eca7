// Images per second of the loader and of torchvision's ImageFolder + DataLoader in turn (ABAB...), from the same folder of
// JPEG files, with the same number of workers; prints a table with the ratio of the medians.
//
//   WAVE_PYTHON=venv/bin/python npm run bench:loader          # needs torch, torchvision and timm; makes 2,000 photographs
//   npm run bench:loader -- --folder imagenet/val --sets full,eval --workers 8 --rounds 7
//   npm run bench:loader -- --memory                          # highest resident set in each third of an epoch of 20,000 images
//
// The sets: full (random crop, flip, RandAugment, erasing), crop (random crop and flip), eval (resize and central crop).
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { makePhotoFolder } from './photo-folder.mjs';

const LEAST_ROUNDS = 3;
const SETS = ['full', 'crop', 'eval'];
/** Images in the epoch whose memory is measured, made of links to the same files. */
const MEMORY_IMAGES = 20_000;

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const { values } = parseArgs({
  options: {
    folder: { type: 'string' },
    sets: { type: 'string', default: SETS.join(',') },
    workers: { type: 'string', default: String(availableParallelism()) },
    batch: { type: 'string', default: '32' },
    images: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
    memory: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const python = process.env.WAVE_PYTHON ?? 'python3';
const [rounds, images, workers] = [Number(values.rounds), Number(values.images), Number(values.workers)];
const sets = values.sets.split(',');
if (!Number.isInteger(rounds) || rounds < LEAST_ROUNDS) {
  fail(`--rounds must be at least ${LEAST_ROUNDS}, found ${values.rounds}`);
}
if (!Number.isInteger(images) || images < 2 * Number(values.batch)) fail('--images must be at least two batches');
if (!Number.isInteger(workers) || workers < 1) fail(`--workers must be at least 1, found ${values.workers}`);
const unknown = sets.find((set) => !SETS.includes(set));
if (unknown !== undefined) fail(`--sets: ${unknown} is none of ${SETS.join(', ')}`);

const scratch = mkdtempSync(join(tmpdir(), 'wave-loader-'));
process.on('exit', () => rmSync(scratch, { recursive: true }));
const folder = values.folder ?? (await photographs());
if (values.memory) print(measureMemory(folder), memoryTable);
else print(compare(folder), ratioTable);

async function photographs() {
  const folder = join(scratch, 'photos');
  const bytes = await makePhotoFolder(folder, { images });
  console.error(`bench:loader: made ${images} JPEG files of 500x375, ${Math.round(bytes / 1000)} kB each`);
  return folder;
}

function compare(folder) {
  try {
    execFileSync(python, ['-c', 'import torch, torchvision, timm'], { stdio: 'ignore' });
  } catch {
    fail(`${python} lacks torch, torchvision or timm: set WAVE_PYTHON to a Python that has them`);
  }
  return sets.map((set) => {
    const flags = flagsOf({ folder, set, images, workers, batch: values.batch });
    const [ours, theirs] = [[], []];
    for (let round = 0; round < rounds; round++) {
      ours.push(measure(process.execPath, [here('./loader-run.mjs'), ...flags]));
      theirs.push(measure(python, [here('./torchvision_loader.py'), ...flags]));
    }
    const [wave, torch] = [ours, theirs].map((runs) => median(runs.map((run) => run.images_per_second)));
    const [waveCpu, torchCpu] = [ours, theirs].map((runs) =>
      median(runs.map((run) => (run.cpu_seconds * 1000) / run.images)),
    );
    return {
      set,
      workers,
      rounds,
      wave,
      torch,
      ratio: round2(wave / torch),
      wave_cpu_ms: round2(waveCpu),
      torch_cpu_ms: round2(torchCpu),
      threads: ours[0].threads,
      versions: { ...ours[0].versions, ...theirs[0].versions },
    };
  });
}

/** With as many workers as asked for and with many, whose batches made ahead must not add up without bound. */
function measureMemory(folder) {
  const large = join(scratch, 'links');
  const files = readdirSync(folder).flatMap((name) => readdirSync(join(folder, name)).map((file) => [name, file]));
  for (const name of readdirSync(folder)) mkdirSync(join(large, name), { recursive: true });
  for (let i = 0; i < MEMORY_IMAGES; i++) {
    const [name, file] = files[i % files.length];
    linkSync(join(folder, name, file), join(large, name, `${i}-${file}`));
  }
  return [...new Set([workers, 16])].map((count) => {
    const flags = flagsOf({ folder: large, set: 'full', images: MEMORY_IMAGES, workers: count, batch: values.batch });
    const { rss_mib } = measure(process.execPath, [here('./loader-run.mjs'), ...flags, '--memory']);
    const [first, middle, last] = rss_mib;
    return { workers: count, images: MEMORY_IMAGES, first, middle, last, growth: round2(last / first) };
  });
}

function flagsOf(settings) {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]);
}

function measure(command, args) {
  try {
    return JSON.parse(execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
  } catch ({ message }) {
    fail(message);
  }
}

function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function round2(value) {
  return Math.round(value * 100) / 100;
}

function print(rows, table) {
  console.log(values.json ? JSON.stringify(rows) : table(rows));
}

function ratioTable(rows) {
  const head = [
    'set',
    'workers',
    'wave images/s',
    'torchvision images/s',
    'ratio',
    'wave CPU ms',
    'torchvision CPU ms',
  ];
  const output = new Table({ head, style: { head: [], border: [] } });
  for (const row of rows) {
    output.push([row.set, row.workers, row.wave, row.torch, row.ratio, row.wave_cpu_ms, row.torch_cpu_ms]);
  }
  const versions = Object.entries(rows[0].versions).map(([name, version]) => `${name} ${version}`);
  return `${output.toString()}\nmedians of ${rows[0].rounds} rounds, ${rows[0].threads} cores, ${versions.join(', ')}`;
}

function memoryTable(rows) {
  const head = ['workers', 'images', 'most MiB in 1st third', 'in 2nd', 'in 3rd', 'last / first'];
  const output = new Table({ head, style: { head: [], border: [] } });
  for (const row of rows) output.push([row.workers, row.images, row.first, row.middle, row.last, row.growth]);
  return output.toString();
}

function fail(message) {
  console.error(`bench:loader: ${message}`);
  process.exit(2);
}
