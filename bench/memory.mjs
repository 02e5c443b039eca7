// Memory of a training run: resident set (RSS) of the whole process while a small model trains, and on engine tensorflow the
// number of tfjs's tensors. Exit code 1 when the last RSS is more than 5 % above the first, or the number changes.
//
//   npm run build && node bench/memory.mjs [--json]           # after 100, 300 and 1,000 steps
//   node bench/memory.mjs --engine tensorflow --steps 200,1000,2000
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import tf from '@tensorflow/tfjs';
import { pretrain, pretrainSchema } from 'wave-vit';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'ort' },
    device: { type: 'string', default: 'cpu' },
    steps: { type: 'string', default: '100,300,1000' },
    json: { type: 'boolean', default: false },
  },
});
/** Multiples of what is logged. */
const STEPS = values.steps.split(',').map(Number);
const END = STEPS[STEPS.length - 1];
/** From the first measurement to the last. */
const MOST_GROWTH = 1.05;
const MEBIBYTE = 2 ** 20;

const config = pretrainSchema.parse({
  model: { preset: 'vit-28-micro' },
  data: { source: 'synthetic', synthetic: { image: 28, train: 3200, test: 500 } },
  // 50 steps an epoch: evaluations and saved states are among what is measured.
  train: { steps: END, batch: 64, log_every: 10 },
  engine: { name: values.engine, device: values.device },
});

const dir = await mkdtemp(join(tmpdir(), 'wave-memory-'));
const rss = new Map();
const tensors = new Map();
try {
  const emit = (event) => {
    if (event.type !== 'step') return;
    rss.set(event.step, process.memoryUsage.rss() / MEBIBYTE);
    tensors.set(event.step, tf.memory().numTensors);
  };
  const { signal } = new AbortController();
  await pretrain(config, { dir, force: false }, { emit, signal, command: 'bench/memory.mjs' });
} finally {
  await rm(dir, { recursive: true });
}

const measured = STEPS.map((step) => ({ step, mebibytes: Math.round(rss.get(step)), tensors: tensors.get(step) }));
const growth = rss.get(END) / rss.get(STEPS[0]);
const isLevel = STEPS.every((step) => tensors.get(step) === tensors.get(STEPS[0]));
if (values.json) {
  console.log(JSON.stringify({ measured, growth }));
} else {
  for (const { step, mebibytes, tensors: count } of measured) {
    console.log(`after ${step} steps: ${mebibytes} MiB, ${count} tensors of tfjs`);
  }
  console.log(`${END} to ${STEPS[0]}: ${growth.toFixed(3)}`);
}
process.exitCode = growth > MOST_GROWTH || !isLevel ? 1 : 0;
