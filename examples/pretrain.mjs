// Trains a very small ViT on drawn images, measures it and classifies some of them, all through the library.
// Takes a few seconds and needs no data. After `npm ci && npm run build`:
//
//   node examples/pretrain.mjs [FOLDER]      default: runs/example
import { join } from 'node:path';
import { evaluate, evaluateSchema, openData, predict, pretrain, pretrainSchema, writeSafetensors } from 'wave-vit';

const dir = process.argv[2] ?? 'runs/example';

// What the YAML file of the command line would say; the schema fills in the rest and refuses what is wrong.
const settings = {
  seed: 7,
  model: { patch: 4, depth: 2, width: 32, heads: 2 },
  data: { source: 'synthetic', synthetic: { image: 16, classes: 4, train: 512, test: 130 } },
  train: { epochs: 8, batch: 32, lr: 3e-3, warmup_epochs: 1 },
};

// A stage reports progress through `emit`, stops when `signal` is aborted, and records `command` in what it writes.
const context = {
  emit(event) {
    if (event.type === 'evaluated') console.log(`epoch ${event.epoch}: ${(100 * event.top1).toFixed(1)} % right`);
    if (event.type === 'warning') console.warn(event.text);
  },
  signal: AbortSignal.timeout(10 * 60_000),
  command: 'node examples/pretrain.mjs',
};

const trained = await pretrain(pretrainSchema.parse(settings), { dir, force: true }, context);
console.log(`${trained.model}: ${trained.parameters} parameters, ${trained.steps} steps`);

const measured = await evaluate(trained.model, evaluateSchema.parse(settings), context);
console.log(`top-1 on ${measured.images} test images: ${(100 * measured.top1).toFixed(1)} %`);

// Images for `predict`: the first three test images, normalised as the model expects them.
const config = evaluateSchema.parse(settings);
const { source, table } = await openData(config.data, 'test', { seed: config.seed });
const [images, pixels] = [3, source.height * source.width];
const data = Float32Array.from(source.pixels.subarray(0, images * pixels), (value) => table[value]);
const input = join(dir, 'input.safetensors');
await writeSafetensors(input, [['input', { dtype: 'F32', shape: [images, 1, source.height, source.width], data }]]);
const { predictions } = await predict({ model: trained.model, inputs: [input], top: 1 }, context);
for (const { index, top } of predictions) console.log(`image ${index}: ${top[0].label}, truly ${source.labels[index]}`);
