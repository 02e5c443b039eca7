// Times our step and PyTorch's in turn (ABAB...) on this machine and prints the ratios.
//
//   npm run bench:peer                              # all configurations, 5 rounds each; python3 must have torch
//   WAVE_PYTHON=venv/bin/python npm run bench:peer -- --rounds 7 --only finetune:192,eval:192,fit:192
//   npm run bench:peer -- --engine tensorflow       # another engine of ours; --device: its device
//   npm run bench:peer -- --device webgpu --steps 1 --warmup 1     # where a step takes long; --warmup: steps not timed
//   npm run bench:peer -- --peer 'other.py time'    # another PyTorch script that takes the same flags
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';

const TINY = { dim: 192, depth: 12, heads: 3, tokens: 197, batch: 16 };
const MICRO = { dim: 64, depth: 6, heads: 1, tokens: 50, batch: 64 };
const SMALL = { dim: 384, depth: 12, heads: 6, tokens: 197, batch: 4 };
const BANK = { template: 64, count: 8 };
const MICRO_BANK = { template: 16, count: 8 };
/** `ancestor` concerns our step alone: PyTorch's runs its ancestor in every step. */
const CONFIGURATIONS = [
  ...[TINY, MICRO, SMALL].map((sizes) => ({ mode: 'finetune', ...sizes })),
  ...[TINY, MICRO, SMALL].map((sizes) => ({ mode: 'eval', ...sizes })),
  ...[
    { ...TINY, ...BANK },
    { ...SMALL, ...BANK },
    { ...MICRO, ...MICRO_BANK },
  ].flatMap((sizes) => [
    { mode: 'fit', ...sizes },
    { mode: 'distill', ...sizes, ancestor: 'live' },
    { mode: 'distill', ...sizes, ancestor: 'cached' },
  ]),
];
const LEAST_ROUNDS = 5;

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: String(LEAST_ROUNDS) },
    steps: { type: 'string', default: '9' },
    warmup: { type: 'string', default: '2' },
    only: { type: 'string' },
    engine: { type: 'string', default: 'ort' },
    device: { type: 'string', default: 'cpu' },
    peer: { type: 'string', default: here('./pytorch_step.py') },
    json: { type: 'boolean', default: false },
  },
});
const python = process.env.WAVE_PYTHON ?? 'python3';
const rounds = Number(values.rounds);
const threads = availableParallelism();
if (!Number.isInteger(rounds) || rounds < LEAST_ROUNDS)
  fail(`--rounds must be at least ${LEAST_ROUNDS}, found ${values.rounds}`);
try {
  execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore' });
} catch {
  fail(`${python} has no torch: set WAVE_PYTHON to a Python that has (pip install torch)`);
}

const only = values.only?.split(',');
const chosen = CONFIGURATIONS.filter(({ mode, dim }) => !only || only.includes(`${mode}:${dim}`));
if (chosen.length === 0)
  fail(`--only ${values.only} names none of ${CONFIGURATIONS.map((c) => `${c.mode}:${c.dim}`).join(', ')}`);
const results = [];
for (const configuration of chosen) {
  const { ancestor, ...shared } = configuration;
  const flags = Object.entries({
    ...shared,
    classes: 100,
    steps: values.steps,
    warmup: values.warmup,
    threads,
  }).flatMap(([k, v]) => [`--${k}`, `${v}`]);
  const own = ['--engine', values.engine, '--device', values.device, ...(ancestor ? ['--ancestor', ancestor] : [])];
  const [ours, theirs] = [[], []];
  for (let round = 0; round < rounds; round++) {
    ours.push(time(process.execPath, [here('./step.mjs'), ...flags, ...own]));
    theirs.push(time(python, [...values.peer.split(' '), ...flags]));
  }
  const [wave, torch] = [median(ours.map((run) => run.median_ms)), median(theirs.map((run) => run.median_ms))];
  const [waveMin, torchMin] = [ours, theirs].map((runs) => Math.min(...runs.map((run) => run.min_ms)));
  results.push({
    ...configuration,
    rounds,
    wave_ms: wave,
    torch_ms: torch,
    ratio: round3(wave / torch),
    ratio_of_minima: round3(waveMin / torchMin),
    start_ms: round3(median(ours.map((run) => run.trace_ms + run.session_ms))),
    rss_mb: median(ours.map((run) => run.rss_mb)),
    torch_rss_mb: theirs[0].rss_mb === undefined ? null : median(theirs.map((run) => run.rss_mb)),
    threads: ours[0].threads,
    torch: theirs[0].torch,
    engine: ours[0].engine,
    version: ours[0].version,
  });
}
if (values.json) console.log(JSON.stringify(results));
else console.log(table(results));

function time(command, args) {
  return JSON.parse(execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function round3(value) {
  return Math.round(value * 1000) / 1000;
}

function table(rows) {
  const output = new Table({
    head: [
      'step',
      'width depth tokens batch',
      'wave ms',
      'torch ms',
      'ratio',
      'of minima',
      'start ms',
      'wave MB',
      'torch MB',
    ],
    style: { head: [], border: [] },
  });
  for (const row of rows) {
    const sizes = `${row.dim} ${row.depth} ${row.tokens} ${row.batch}`;
    output.push([
      row.ancestor ? `${row.mode}, ${row.ancestor} ancestor` : row.mode,
      sizes,
      row.wave_ms,
      row.torch_ms,
      row.ratio,
      row.ratio_of_minima,
      row.start_ms,
      row.rss_mb,
      row.torch_rss_mb ?? '-',
    ]);
  }
  return output.toString();
}

function fail(message) {
  console.error(`bench:peer: ${message}`);
  process.exit(2);
}
