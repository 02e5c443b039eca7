// Times one compiled step and prints one JSON line.
//
//   npm run -s bench:step -- --mode finetune --dim 192 --depth 12 --heads 3 --tokens 197 --batch 16 --classes 100
//
// finetune: forward, backward and AdamW; eval: forward with frozen weights; fit: the same step with weights made of frozen
// templates (--template: their width, --count: how many for each matrix, a quarter of it for other tensors) and scalers that
// are trained; distill: both are trained, against the logits of an ancestor of the same size, which are computed in every
// step (--ancestor live) or known (--ancestor cached). --kronecker template-outer (the default) or scaler-outer is the order
// of the factors of both. --engine and --device say what computes. Patches are already cut out and in memory, so no data loading is
// timed; what is timed is what a training loop waits for, the trips to the engine's thread included.
import { parseArgs } from 'node:util';
import { createEngine } from '../dist/engine/create.js';
import { createOrtEngine } from '../dist/engine/ort/engine.js';
import { initialise } from '../dist/model/initialise.js';
import {
  inferenceProgram,
  LOGITS,
  modelEntries,
  PATCHES,
  smoothedTargets,
  TARGETS,
  trainingProgram,
} from '../dist/train/index.js';
import * as wave from '../dist/wave/index.js';

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
  template: 64,
  count: 8,
};
const MODES = ['finetune', 'eval', 'distill', 'fit'];

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'finetune' },
    engine: { type: 'string', default: 'ort' },
    device: { type: 'string', default: 'cpu' },
    profile: { type: 'string' },
    ancestor: { type: 'string', default: 'live' },
    kronecker: { type: 'string', default: 'template-outer' },
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
if (!wave.CONVENTIONS.includes(values.kronecker))
  fail(`--kronecker must be ${wave.CONVENTIONS.join(' or ')}, found ${values.kronecker}`);
if (!['live', 'cached'].includes(values.ancestor)) fail(`--ancestor must be live or cached, found ${values.ancestor}`);
const { dim, depth, heads, tokens, batch, classes, steps, warmup } = number;
const { mode } = values;
const withTemplates = mode === 'distill' || mode === 'fit';

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

const threads = number.threads > 0 ? number.threads : null;
const engine =
  values.profile === undefined
    ? await createEngine({ name: values.engine, device: values.device, threads })
    : createOrtEngine({ device: values.device, profile: values.profile, ...(threads && { threads }) });
const ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
const { step, ancestor } = await compile();

const patches = Float32Array.from(
  { length: (tokens - 1) * batch * spec.channels },
  (_, i) => Math.sin(i * 12.9898) * 1.4,
);
const targets = smoothedTargets(
  Int32Array.from({ length: batch }, (_, i) => (i * 7) % classes),
  classes,
  0,
);

const training = mode !== 'eval';
const known = Float32Array.from({ length: batch * classes }, (_, i) => Math.cos(i));
const times = [];
for (let i = 0; i < warmup + steps; i++) {
  // A batch moves to the engine and is gone, so each step gets its own, made before the clock starts.
  const inputs = new Map([[PATCHES, patches.slice()], ...(training ? [[TARGETS, targets.slice()]] : [])]);
  const seen = patches.slice();
  const start = performance.now();
  if (mode === 'distill') {
    const logits = ancestor ? (await ancestor.run(new Map([[PATCHES, seen]]))).get(LOGITS) : known.slice();
    inputs.set(wave.ANCESTOR, logits);
  }
  await (training ? step.run(inputs, { learningRate: 5e-4 }) : step.run(inputs));
  if (i >= warmup) times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
const median =
  times.length % 2 ? times[times.length >> 1] : (times[times.length / 2 - 1] + times[times.length / 2]) / 2;
const round = (value) => Math.round(value * 100) / 100;
console.log(
  JSON.stringify({
    mode,
    dim,
    depth,
    tokens,
    batch,
    template: withTemplates ? number.template : null,
    count: withTemplates ? number.count : null,
    ancestor: mode === 'distill' ? values.ancestor : null,
    median_ms: round(median),
    min_ms: round(times[0]),
    images_per_s: round((batch / median) * 1000),
    threads: engine.threads,
    engine: `${engine.name}/${engine.device}`,
    version: engine.version,
    trace_ms: round(step.info.traceMs),
    session_ms: round(step.info.sessionMs),
    nodes: step.info.nodes,
    model_bytes: step.info.bytes,
    rss_mb: Math.round(process.resourceUsage().maxRSS / 1e3),
  }),
);
await step.dispose();
await engine.dispose();

async function compile() {
  const plain = modelEntries(spec, initialise(spec, 0), { trained: mode === 'finetune', weightDecay: 0.05 });
  const evaluation = async () => {
    const state = await engine.createState(plain, ADAMW);
    return engine.compileInference(inferenceProgram(spec, batch), state, { frozen: true });
  };
  if (mode === 'eval') return { step: await evaluation() };
  if (mode === 'finetune') {
    const state = await engine.createState(plain, ADAMW);
    return { step: await engine.compileTraining(trainingProgram(spec, batch, { dropPath: false }), state) };
  }
  const small = Math.max(1, number.count >> 2);
  const layout = { width: number.template, count: number.count, small_count: small, kronecker: values.kronecker };
  const tensors = new Map([...wave.randomTemplates(spec, layout, 0), ...wave.randomScalers(spec, layout, 0)]);
  const rule = { templates: mode === 'distill', scalers: true, weightDecay: 0.05 };
  const state = await engine.createState(wave.templateEntries(spec, layout, tensors, rule), ADAMW);
  const kd = { weight: 1, temperature: 1, reduction: 'batchmean', target: 'soft' };
  const options = { batch, dropPath: false, ceWeight: 1, ...(mode === 'distill' && { kd }) };
  const program = wave.templateTrainingProgram({ model: spec, layout }, options);
  const step = await engine.compileTraining(program, state);
  return { step, ...(mode === 'distill' && values.ancestor === 'live' && { ancestor: await evaluation() }) };
}

function fail(message) {
  console.error(`bench:step: ${message}`);
  process.exit(2);
}
