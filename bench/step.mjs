// Times one compiled step and prints one JSON line.
//
//   npm run -s bench:step -- --mode finetune --dim 192 --depth 12 --heads 3 --tokens 197 --batch 16 --classes 100
//
// finetune: forward, backward and AdamW; eval: forward with frozen weights. Patches are already cut out and in memory, so
// no data loading is timed; what is timed is what a training loop waits for, the trip to the engine's thread included.
import { parseArgs } from 'node:util';
import { createOrtEngine } from '../dist/engine/ort/engine.js';
import { initialise } from '../dist/model/initialise.js';
import {
  inferenceProgram,
  modelEntries,
  PATCHES,
  smoothedTargets,
  TARGETS,
  trainingProgram,
} from '../dist/train/index.js';

const DEFAULTS = {
  dim: 192,
  depth: 12,
  heads: 3,
  tokens: 197,
  batch: 16,
  classes: 100,
  'patch-dim': 768,
  steps: 7,
  warmup: 2,
  threads: 0,
};
const MODES = ['finetune', 'eval'];

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'finetune' },
    profile: { type: 'string' },
    ...Object.fromEntries(
      Object.entries(DEFAULTS).map(([name, value]) => [name, { type: 'string', default: String(value) }]),
    ),
  },
});
const number = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, Number(values[name])]));
for (const [name, value] of Object.entries(number)) {
  if (!Number.isInteger(value) || value < 0) fail(`--${name} must be a whole number, found ${values[name]}`);
}
if (!MODES.includes(values.mode)) fail(`--mode must be ${MODES.join(' or ')}, found ${values.mode}`);
const { dim, depth, heads, tokens, batch, classes, steps, warmup } = number;

// Patches of 1x1 pixel with many channels: the same arithmetic as cut-out patches of `patch-dim` numbers.
const spec = {
  image: [1, tokens - 1],
  patch: 1,
  channels: number['patch-dim'],
  depth,
  width: dim,
  heads,
  hidden: 4 * dim,
  classes,
  eps: 1e-6,
  pool: 'token',
  final_norm: 'norm',
  class_token: true,
  distillation_token: false,
  register_tokens: 0,
  position_prefix: true,
};

const engine = createOrtEngine({
  ...(number.threads > 0 && { threads: number.threads }),
  ...(values.profile !== undefined && { profile: values.profile }),
});
const training = values.mode === 'finetune';
const entries = modelEntries(spec, initialise(spec, 0), { trained: training, weightDecay: 0.05 });
const state = await engine.createState(entries, { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
const step = training
  ? await engine.compileTraining(trainingProgram(spec, batch, { dropPath: false }), state)
  : await engine.compileInference(inferenceProgram(spec, batch), state, { frozen: true });

const patches = Float32Array.from(
  { length: (tokens - 1) * batch * spec.channels },
  (_, i) => Math.sin(i * 12.9898) * 1.4,
);
const targets = smoothedTargets(
  Int32Array.from({ length: batch }, (_, i) => (i * 7) % classes),
  classes,
  0,
);

const times = [];
for (let i = 0; i < warmup + steps; i++) {
  // A batch moves to the engine and is gone, so each step gets its own, made before the clock starts.
  const inputs = new Map([[PATCHES, patches.slice()], ...(training ? [[TARGETS, targets.slice()]] : [])]);
  const start = performance.now();
  await (training ? step.run(inputs, { learningRate: 5e-4 }) : step.run(inputs));
  if (i >= warmup) times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
const median =
  times.length % 2 ? times[times.length >> 1] : (times[times.length / 2 - 1] + times[times.length / 2]) / 2;
const round = (value) => Math.round(value * 100) / 100;
console.log(
  JSON.stringify({
    mode: values.mode,
    dim,
    depth,
    tokens,
    batch,
    // Kept for steps over weight templates; a plain model has none.
    template: null,
    count: null,
    median_ms: round(median),
    min_ms: round(times[0]),
    images_per_s: round((batch / median) * 1000),
    threads: engine.threads,
    engine: `${engine.name}/${engine.device}`,
    onnxruntime: engine.version,
    trace_ms: round(step.info.traceMs),
    session_ms: round(step.info.sessionMs),
    nodes: step.info.nodes,
    model_bytes: step.info.bytes,
    rss_mb: Math.round(process.resourceUsage().maxRSS / 1e3),
  }),
);
await step.dispose();
await engine.dispose();

function fail(message) {
  console.error(`bench:step: ${message}`);
  process.exit(2);
}
