// Memory of a training run: resident set (RSS) of the whole process while a small model trains. Exit code 1 when it is
// more than 5 % larger after 1,000 steps than after 100.
//
//   npm run build && node bench/memory.mjs [--json]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pretrain, pretrainSchema } from 'wave-vit';

const STEPS = [100, 300, 1000];
const END = STEPS[STEPS.length - 1];
/** From the first measurement to the last. */
const MOST_GROWTH = 1.05;
const MEBIBYTE = 2 ** 20;

const config = pretrainSchema.parse({
  model: { preset: 'vit-28-micro' },
  data: { source: 'synthetic', synthetic: { image: 28, train: 3200, test: 500 } },
  // 50 steps an epoch: evaluations and saved states are among what is measured.
  train: { steps: END, batch: 64, log_every: 10 },
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
const growth = rss.get(END) / rss.get(STEPS[0]);
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ measured, growth }));
} else {
  for (const { step, mebibytes } of measured) console.log(`after ${step} steps: ${mebibytes} MiB`);
  console.log(`${END} to ${STEPS[0]}: ${growth.toFixed(3)}`);
}
process.exitCode = growth > MOST_GROWTH ? 1 : 0;
