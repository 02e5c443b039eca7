/** Fine-tuning on images of another size: positions are resized, and everything else goes on as it would. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { InterruptedError } from '#wave/base/errors.js';
import { sha256File, writeSafetensors } from '#wave/checkpoint/index.js';
import { loadModel } from '#wave/model/load.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { resizePositions } from '#wave/model/resize-positions.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { finetune } from '#wave/stages/finetune.js';
import { fit as fitScalers, fitSchema } from '#wave/stages/fit.js';
import { materialiseValues, randomScalers, randomTemplates, saveScalers, saveTemplates } from '#wave/wave/index.js';
import { writeIdx } from '../data/helpers.js';
import { change, LINEAGE, SAME, settings, setUp } from './finetune-support.js';
import { context, PICO } from './support.js';

const { root, ancestor, known, fresh, resumed, bytes, run } = await setUp('finetune-images');

/** The ancestor's task, drawn larger and smaller: grids of 6x6 and 2x2 patches instead of 4x4. */
const drawn = (image: number) => ({ ...SAME, synthetic: { ...SAME.synthetic, image } });
/** One step so small that everything stays where it starts. */
const STILL = { steps: 1, lr: 1e-12, min_lr: 0, weight_decay: 0 };
const notesOf = ({ events }: ReturnType<typeof context>) =>
  events.flatMap((event) => (event.type === 'note' ? [event.text] : []));

/** Images of 8x32 pixels: a grid of 2x8, as many patches as the ancestor's 4x4. */
function wide() {
  const split = (name: string, count: number) => ({
    images: writeIdx(
      join(root, `${name}-images`),
      [count, 8, 32],
      Uint8Array.from({ length: count * 256 }, (_, i) => (i * 37 + Math.floor(i / 256) * 11) % 256),
    ),
    labels: writeIdx(
      join(root, `${name}-labels`),
      [count],
      Uint8Array.from({ length: count }, (_, i) => i % 4),
    ),
  });
  return { source: 'idx', classes: 4, train: split('train', 64), test: split('test', 32) };
}

describe('positions', () => {
  it.each([
    ['more patches', drawn(24), [24, 24], '4x4 to 6x6'],
    ['fewer patches', drawn(8), [8, 8], '4x4 to 2x2'],
    ['as many patches in another shape', wide(), [8, 32], '4x4 to 2x8'],
  ] as const)('are resized for %s, as timm does, and a note says so', async (name, data, image, grids) => {
    const { result, told, spec, values } = await run(name.replaceAll(' ', '-'), STILL, data);
    const expected = resizePositions(known, image);
    expect(expected.values.get('pos_embed')).not.toEqual(known.values.get('pos_embed'));
    expect(change('pos_embed', values, expected.values)).toBeLessThan(1e-9);
    expect(change('blocks.1.mlp.fc2.weight', values, known.values)).toBeLessThan(1e-9);
    expect(spec).toEqual({ ...known.spec, image });
    expect(result).toMatchObject({ head: 'kept', parameters: [...values.values()].reduce((n, v) => n + v.length, 0) });
    expect(notesOf(told)).toEqual([`positions resized from ${grids} patches`, 'head: kept, 4 classes']);
  });

  it('are resized as Hugging Face does where train.position_filter says so', async () => {
    const { values } = await run('huggingface', { ...STILL, position_filter: 'huggingface' }, drawn(8));
    const expected = resizePositions(known, [8, 8], 'huggingface').values;
    expect(change('pos_embed', values, expected)).toBeLessThan(1e-9);
    expect(change('pos_embed', values, resizePositions(known, [8, 8], 'timm').values)).toBeGreaterThan(1e-3);
  });

  it('stay as they are, without a note, for images of the model', async () => {
    const { told, values } = await run('own', STILL, SAME);
    expect(change('pos_embed', values, known.values)).toBeLessThan(1e-9);
    expect(notesOf(told)).toEqual(['head: kept, 4 classes']);
  });

  it('keep their resized values when they are frozen', async () => {
    const { values } = await run('frozen', { freeze: ['pos_embed'] }, drawn(24));
    expect(change('pos_embed', values, resizePositions(known, [24, 24]).values)).toBe(0);
  });
});

describe('a run', () => {
  it('learns, and writes a model for the new size that evaluates as measured', async () => {
    const train = { steps: 40, lr: 3e-3, eval_every: 100 };
    const { result } = await run('learns', train, drawn(24));
    expect(result.top1).toBeGreaterThan(0.7);
    const config = evaluateSchema.parse(settings(train, drawn(24)));
    expect(await evaluate(result.model, config, context())).toMatchObject({ top1: result.top1 });
  });

  it('that is interrupted gives the same bytes when resumed', async () => {
    const config = settings({}, drawn(24));
    await run('whole', {}, drawn(24));
    const stopping = context((event, stop) => event.type === 'step' && event.step === 8 && stop());
    await expect(finetune(config, { model: ancestor }, fresh('cut'), stopping)).rejects.toThrow(InterruptedError);
    await finetune(config, { model: ancestor }, resumed('cut'), context());
    expect(bytes('cut').equals(bytes('whole'))).toBe(true);
  });

  it('takes a bare checkpoint of timm as it takes the model', async () => {
    const bare = join(root, 'bare.safetensors');
    const tensors = [...parameterShapes(known.spec)].map(
      ([name, shape]) => [name, { dtype: 'F32', shape, data: known.values.get(name) as Float32Array }] as const,
    );
    await writeSafetensors(bare, tensors);
    const { model } = await finetune(settings({}, drawn(8)), { model: bare, heads: 2 }, fresh('bare'), context());
    expect((await loadModel(model)).values).toEqual((await run('described', {}, drawn(8))).values);
  });

  it('is refused where patches do not divide the images', async () => {
    await expect(run('odd', {}, drawn(18))).rejects.toThrow(
      /model\.safetensors: has patches of 4 pixels, which do not divide the images of 18x18; bring them to a multiple of 4, such as --set data.image=16, or choose another model$/,
    );
    expect(existsSync(join(root, 'odd'))).toBe(false);
  });

  it('is refused once where channels do not fit either', async () => {
    const data = drawn(18);
    const colour = { ...data, synthetic: { ...data.synthetic, channels: 3 } };
    await expect(run('odd', {}, colour)).rejects.toThrow(
      /model\.safetensors: is a model for images with 1 channel, those of the data have 3, and has patches of 4 pixels, which do not divide the images of 18x18; choose another model$/,
    );
    await expect(run('odd', {}, { ...data, channels: 3 })).rejects.toThrow(
      /of 18x18; --set data\.channels=1 and bring them to a multiple of 4, such as --set data\.image=16, or choose another model$/,
    );
    expect(existsSync(join(root, 'odd'))).toBe(false);
  });
});

describe('templates and scalers', () => {
  const layout = { width: 16, count: 2, small_count: 1, kronecker: 'template-outer' } as const;
  const inputs = { templates: join(root, 'templates.safetensors'), scalers: join(root, 'scalers.safetensors') };
  const bank = randomTemplates(known.spec, layout, 1);
  const scalers = randomScalers(known.spec, layout, 2);

  beforeAll(async () => {
    const stored = { model: known.spec, templates: layout };
    await saveTemplates(inputs.templates, { spec: stored, values: bank, lineage: LINEAGE });
    const spec = { ...stored, templates_sha256: await sha256File(inputs.templates) };
    await saveScalers(inputs.scalers, { spec, values: scalers, lineage: LINEAGE });
  });

  it('make a model whose positions are resized', async () => {
    const { model } = await finetune(settings(STILL, drawn(24)), inputs, fresh('parts'), context());
    const made = materialiseValues(known.spec, layout, new Map([...bank, ...scalers]));
    const expected = resizePositions({ spec: known.spec, values: made }, [24, 24]).values;
    expect(change('pos_embed', (await loadModel(model)).values, expected)).toBeLessThan(1e-9);
  });

  it('cannot be fitted to them, and the message says what can be done', async () => {
    const { seed, engine } = PICO;
    const config = fitSchema.parse({ seed, engine, data: drawn(24), train: { steps: 2, batch: 32 } });
    await expect(fitScalers(config, inputs, fresh('fitted'), context())).rejects.toThrow(
      /scalers\.safetensors: holds scalers for images of 16x16, those of the data are 24x24; distil a bank at that size, or make a model of these \(wave init --materialise\) and finetune it, which resizes positions$/,
    );
    expect(existsSync(join(root, 'fitted'))).toBe(false);
  });

  it('cannot be evaluated on them, and the message says the same', async () => {
    const config = evaluateSchema.parse(settings({}, drawn(24)));
    await expect(evaluate(inputs, config, context())).rejects.toThrow(
      'the model has image size 16x16, the data 24x24; distil a bank at that size, or make a model of these (wave init --materialise)',
    );
  });
});
