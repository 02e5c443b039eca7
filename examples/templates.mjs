// From one trained model to two others of other sizes, all through the library: a small ViT is trained on drawn images,
// condensed into templates, and models that it never was are made of these, fitted on a few images and fine-tuned.
// Takes about 20 seconds and needs no data. After `npm ci && npm run build`:
//
//   node examples/templates.mjs [FOLDER]      default: runs/templates
import { join } from 'node:path';
import * as wave from 'wave-vit';

const root = process.argv[2] ?? 'runs/templates';
const folder = (name) => ({ dir: join(root, name), force: true });

// Blocks that all stages share. What is left out gets its default from the schema of the stage.
const common = {
  seed: 7,
  data: { source: 'synthetic', synthetic: { image: 16, classes: 4, train: 512, test: 400 } },
};
// Scalers are few numbers, so a few images serve to fit them: 16 of each class.
const few = { ...common, data: { ...common.data, limit: 64 } };

// A stage reports progress through `emit` and stops when `signal` is aborted.
const context = {
  emit(event) {
    if (event.type === 'note') console.log(event.text);
    if (event.type === 'warning') console.warn(event.text);
  },
  signal: AbortSignal.timeout(10 * 60_000),
  command: 'node examples/templates.mjs',
};
const percent = (share) => `${(100 * share).toFixed(1)} %`;

// The ancestor: width 32, depth 3.
const ancestor = await wave.pretrain(
  wave.pretrainSchema.parse({
    ...common,
    model: { patch: 4, depth: 3, width: 32, heads: 2 },
    train: { epochs: 8, batch: 32, lr: 3e-3, warmup_epochs: 1 },
  }),
  folder('ancestor'),
  context,
);
console.log(`ancestor: ${percent(ancestor.top1)} right, ${ancestor.parameters} parameters`);

// Its bank. Besides the auxiliary model three other sizes are trained, so that the templates serve more than one.
const bank = await wave.distill(
  wave.distillSchema.parse({
    ...common,
    templates: { width: 16, count: 6 },
    distill: { sizes: [{ depth: [2, 4], width: 16 }] },
    train: { epochs: 10, batch: 32, lr: 5e-3, warmup_epochs: 0.5 },
  }),
  { ancestor: ancestor.model },
  folder('bank'),
  context,
);
console.log(`bank: ${bank.templateParameters} parameters, ${percent(bank.templateShare)} of the ancestor`);

// Two models of other sizes. The scalers of each are inherited from the auxiliary model's, without any training.
const rows = [];
for (const { depth, width } of [
  { depth: 5, width: 32 },
  { depth: 3, width: 48 },
]) {
  const name = `${width}x${depth}`;
  const { templates } = bank;
  const target = await wave.initTarget(
    { method: 'wave', templates, depth, width },
    { path: join(root, `${name}.safetensors`), force: true },
    context,
  );
  const inherited = await wave.evaluate(
    { templates, scalers: target.path },
    wave.evaluateSchema.parse(common),
    context,
  );
  const fitted = await wave.fit(
    wave.fitSchema.parse({ ...few, train: { steps: 40, batch: 32 } }),
    { templates, scalers: target.path, ancestor: ancestor.model },
    folder(`fitted-${name}`),
    context,
  );
  // From here on it is an ordinary ViT.
  const tuned = await wave.finetune(
    wave.finetuneSchema.parse({ ...common, train: { epochs: 2, batch: 32, lr: 1e-3 } }),
    { model: fitted.model },
    folder(`tuned-${name}`),
    context,
  );
  rows.push([
    name,
    tuned.parameters,
    fitted.scalerParameters,
    ...[inherited, fitted, tuned].map(({ top1 }) => percent(top1)),
  ]);
}
const head = ['model', 'parameters', 'scalers', 'inherited', 'fitted', 'fine-tuned'];
for (const row of [head, ...rows])
  console.log(
    row
      .map((cell) => String(cell).padEnd(12))
      .join('')
      .trimEnd(),
  );
