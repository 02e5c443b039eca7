/** Weights that are NaN or infinite are kept where a model is written, and named as the cause of what comes of them. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeLineage } from '#wave/checkpoint/index.js';
import { initialise } from '#wave/model/initialise.js';
import { loadModel } from '#wave/model/load.js';
import { saveModel } from '#wave/model/save.js';
import { convert } from '#wave/stages/convert.js';
import { distill } from '#wave/stages/distill.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { exportModel } from '#wave/stages/export.js';
import { predict } from '#wave/stages/predict.js';
import { interop, temporary } from '../model/formats/support.js';
import { distillation } from './distill-support.js';
import { context, pico, type TestContext } from './support.js';

const root = temporary('broken-weights');
afterAll(() => rmSync(root, { recursive: true }));
const source = join(root, 'broken.safetensors');
const CAUSE = 'its weights hold NaN or infinite values (tensor norm.bias and 1 more)';
const PHOTO = join(import.meta.dirname, '../data/fixtures/images/photo.png');

beforeAll(async () => {
  const { labels: _, ...given } = (await loadModel(interop('timm-token'))).spec;
  const spec = { ...given, channels: 1, classes: 4, preprocess: { mean: [0.5], std: [0.5] } };
  const values = new Map(initialise(spec, 1));
  values.get('norm.bias')?.fill(Number.POSITIVE_INFINITY, 0, 1);
  values.get('head.weight')?.fill(Number.NaN);
  const origin = { command: 'wave test', configSha256: '0', parents: [], seed: 0, engine: 'host', toolVersion: '0' };
  await saveModel(source, { spec, values, lineage: makeLineage(origin) });
});

const warnings = ({ events }: TestContext) =>
  events.flatMap((each) => (each.type === 'warning' && each.text.includes('NaN') ? [each.text] : []));

it('convert keeps them, and says so', async () => {
  const told = context();
  const path = join(root, 'converted.safetensors');
  await convert({ source }, { path, force: false }, told);
  expect(warnings(told)).toEqual([`${source}: ${CAUSE}; they are kept`]);
  expect((await loadModel(path)).values.get('head.weight')?.every(Number.isNaN)).toBe(true);
  const fine = context();
  await convert({ source: interop('timm-token') }, { path, force: true }, fine);
  expect(warnings(fine)).toEqual([]);
});

it.each(['timm', 'hf'])('export --format %s, too', async (format) => {
  const told = context();
  await exportModel(source, { format }, { dir: join(root, format), force: false }, told);
  expect(warnings(told)).toEqual([`${source}: ${CAUSE}; its logits will not be finite either`]);
});

it('eval tells that the logits themselves are not finite', async () => {
  const told = context();
  const { loss } = await evaluate(source, evaluateSchema.parse(pico()), told);
  expect(loss).toBeNaN();
  expect(warnings(told)).toEqual([`${source}: gives logits that are not finite, so neither is the loss; ${CAUSE}`]);
});

it('predict, too', async () => {
  await expect(predict({ model: source, inputs: [PHOTO], top: 1, engine: { threads: 1 } }, context())).rejects.toThrow(
    `${source}: gives logits that are not finite for ${PHOTO}; ${CAUSE}`,
  );
});

it('distill refuses such an ancestor before anything is written', async () => {
  const dir = join(root, 'bank');
  await expect(distill(distillation(), { ancestor: source }, { dir, force: false }, context())).rejects.toThrow(
    `${source}: ${CAUSE}, so its logits teach nothing; use an ancestor that was trained well`,
  );
  expect(existsSync(dir)).toBe(false);
});
