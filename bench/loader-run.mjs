// Reads images with the loader once and prints one JSON line; bench/loader.mjs says what the settings are.
//
//   node bench/loader-run.mjs --folder DIR --set full --workers 2 --batch 64 --images 2000
//
// Timed from the first batch on, when the threads run. With --memory also the resident set in MiB: its highest value in each
// third of the images, since it rises and falls with every garbage collection.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { dataSchema } from '../dist/config/index.js';
import { Loader, openData } from '../dist/data/index.js';

const { values } = parseArgs({
  options: {
    folder: { type: 'string' },
    set: { type: 'string', default: 'full' },
    workers: { type: 'string', default: '2' },
    batch: { type: 'string', default: '32' },
    images: { type: 'string', default: '2000' },
    size: { type: 'string', default: '224' },
    memory: { type: 'boolean', default: false },
  },
});
const [workers, batch, images, size] = ['workers', 'batch', 'images', 'size'].map((name) => Number(values[name]));
const PATCH = 16;
const MEBIBYTE = 2 ** 20;

/** The transforms of bench/torchvision_loader.py. */
const AUGMENT = {
  eval: {},
  crop: { flip: true, random_resized_crop: {}, interpolation: 'bicubic' },
  full: {
    flip: true,
    random_resized_crop: {},
    interpolation: 'bicubic',
    rand_augment: 'rand-m9-mstd0.5-inc1',
    erasing: 0.25,
    erasing_mode: 'pixel',
  },
};

const data = dataSchema.parse({
  source: 'folder',
  train: { folder: values.folder },
  image: size,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  resize: { interpolation: 'bicubic', crop_pct: 0.875 },
  augment: AUGMENT[values.set],
});
const dataset = await openData(data, 'train', { seed: 0 });
const mode = values.set === 'eval' ? 'eval' : 'train';
const loader = new Loader({ dataset, mode, batch, patch: PATCH, seed: 0, workers });
const most = Math.floor(images / batch);
const memory = [0, 0, 0];
let counted = 0;
let start;
let own;
for (let epoch = 0; counted < most; epoch++) {
  for await (const { size: filled } of loader.epoch(epoch)) {
    if (filled < batch) continue;
    if (start === undefined) {
      start = performance.now();
      own = process.cpuUsage();
      continue;
    }
    counted++;
    if (values.memory) {
      const third = Math.floor(((counted - 1) * memory.length) / most);
      memory[third] = Math.max(memory[third], Math.round(process.memoryUsage.rss() / MEBIBYTE));
    }
    if (counted === most) break;
  }
}
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(own);
await loader.close();
console.log(
  JSON.stringify({
    images: counted * batch,
    images_per_second: Math.round((counted * batch * 10) / seconds) / 10,
    cpu_seconds: Math.round((user + system) / 1e4) / 100,
    ...(values.memory ? { rss_mib: memory } : {}),
    versions: { node: process.versions.node },
    threads: availableParallelism(),
  }),
);
