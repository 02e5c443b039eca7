// Memory of a training run: resident set (RSS) of the whole process while a very small model trains. Exit code 1 when it
// still grows by more than 5 % after it has settled.
//
//   npm run build && node bench/memory.mjs [--json]
//
// RSS rises for the first 1,500 steps or so because V8 lets the young generation of each of the three threads (training,
// loader, engine) grow to its full size, 16 MiB three times over, before it collects at an even pace. That rise is bounded
// and the same for every model; `node --max-semi-space-size=1 bench/memory.mjs` shows the run without most of it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pretrain, pretrainSchema } from 'wave-vit';

const STEPS = [100, 1000, 2000, 4000];
const [SETTLED, END] = STEPS.slice(-2);
/** More than this between the last two measurements is a leak. */
const MOST_GROWTH = 1.05;
const MEBIBYTE = 2 ** 20;

const config = pretrainSchema.parse({
  model: { patch: 4, depth: 2, width: 32, heads: 2 },
  data: { source: 'synthetic', synthetic: { image: 16, train: 2000, test: 500 } },
  // 62 steps an epoch: evaluations and saved states are among what is measured.
  train: { steps: END, batch: 32, log_every: 10 },
});

const dir = await mkdtemp(join(tmpdir(), 'wave-memory-'));
const rss = new Map();
try {
  const emit = (event) => {
    if (event.type === 'step') rss.set(event.step, process.memoryUsage().rss / MEBIBYTE);
  };
  const { signal } = new AbortController();
  await pretrain(config, { dir, force: false }, { emit, signal, command: 'bench/memory.mjs' });
} finally {
  await rm(dir, { recursive: true });
}

const measured = STEPS.map((step) => ({ step, mebibytes: Math.round(rss.get(step)) }));
const warmUp = rss.get(1000) / rss.get(100);
const growth = rss.get(END) / rss.get(SETTLED);
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ measured, warmUp, growth }));
} else {
  for (const { step, mebibytes } of measured) console.log(`after ${step} steps: ${mebibytes} MiB`);
  console.log(`1000 to 100: ${warmUp.toFixed(3)}; ${END} to ${SETTLED}: ${growth.toFixed(3)}`);
}
process.exitCode = growth > MOST_GROWTH ? 1 : 0;
