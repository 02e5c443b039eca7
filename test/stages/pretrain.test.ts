/** Training, interruption and resumption in this process, on the real engine. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, InterruptedError, TrainingError } from '#wave/base/errors.js';
import { expectKind, type Lineage, openSafetensors, type TensorInput, writeArtifact } from '#wave/checkpoint/index.js';
import { loadModel } from '#wave/model/load.js';
import { checkPretrain, pretrain } from '#wave/stages/pretrain.js';
import { runFolder } from '#wave/stages/run-folder.js';
import { context, filesIn, laterContext, nothingLeft, pico } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-pretrain-'));
afterAll(() => rmSync(root, { recursive: true }));
const fresh = (name: string) => ({ dir: join(root, name), force: false });
const resumed = (name: string) => ({ ...fresh(name), resume: true });
const weights = async (name: string) => (await loadModel(runFolder(join(root, name)).model)).values;

interface Line {
  readonly step: number;
  readonly test_top1?: number;
}
const metrics = (name: string): Line[] =>
  readFileSync(join(root, name, 'metrics.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
/** The lines without what depends on the clock. */
const timeless = (name: string) => metrics(name).map((line) => ({ ...line, images_per_second: 0, data_wait: 0 }));

/** Fills the tensors of a saved state whose names begin so. */
async function overwrite(path: string, beginning: string, value: number): Promise<void> {
  const file = await openSafetensors(path);
  const { kind, spec, lineage } = expectKind(file, 'state');
  const tensors = new Map<string, TensorInput>();
  for (const [name, { shape }] of file.tensors) {
    const data = await file.readFloat32(name);
    tensors.set(name, { dtype: 'F32', shape, data: name.startsWith(beginning) ? data.fill(value) : data });
  }
  await file.close();
  await writeArtifact(path, { kind, spec, lineage: lineage as Lineage, tensors });
}

/** 8 steps an epoch, 2 epochs; all that can be random is on. */
const config = pico({
  data: { ...pico().data, augment: { pad_crop: 1, flip: true } },
  train: { epochs: 2, batch: 32, lr: 3e-3, log_every: 4, drop_path: 0.2, label_smoothing: 0.1 },
});

beforeAll(async () => {
  await pretrain(config, fresh('whole'), context());
});

/** Runs until `step` is reported, then stops. */
async function interruptedAt(name: string, step: number): Promise<void> {
  const stopping = context((event, stop) => {
    if (event.type === 'step' && event.step === step) stop();
  });
  await expect(pretrain(config, fresh(name), stopping)).rejects.toThrow(InterruptedError);
}

describe('a run', () => {
  it('leaves a model, a state, metrics and its settings, and no temporary file', () => {
    const names = ['config.resolved.yaml', 'metrics.jsonl', 'model.safetensors', 'state.safetensors'];
    expect(readdirSync(join(root, 'whole')).sort()).toEqual(names);
  });

  it('writes a line every so many steps and for every evaluation', () => {
    expect(metrics('whole').map(({ step, test_top1 }) => [step, test_top1 !== undefined])).toEqual([
      [4, false],
      [8, false],
      [8, true],
      [12, false],
      [16, false],
      [16, true],
    ]);
  });

  it('tells the images that it evaluates, not the padded batches', async () => {
    const told = context();
    await pretrain(pico({ train: { epochs: null, steps: 1 } }), fresh('told'), told);
    const evaluating = told.events.filter((event) => event.type === 'evaluating');
    expect(evaluating).toEqual([50, 100, 130].map((done) => ({ type: 'evaluating', done, total: 130 })));
  });

  it('evaluates every so many epochs and at the end', async () => {
    const told = context();
    await pretrain(pico({ train: { epochs: 3, batch: 128, eval_every: 2 } }), fresh('rare'), told);
    const epochs = told.events.flatMap((event) => (event.type === 'evaluated' ? [event.epoch] : []));
    expect(epochs).toEqual([1, 2]);
  });
});

describe('an interrupted run', () => {
  it.each([4, 8, 12, 16])('stopped at step %i gives the same weights and metrics when resumed', async (step) => {
    const name = `stopped-${step}`;
    await interruptedAt(name, step);
    expect(existsSync(runFolder(join(root, name)).model)).toBe(false);
    await pretrain(config, resumed(name), context());
    expect(await weights(name)).toEqual(await weights('whole'));
    expect(timeless(name)).toEqual(timeless('whole'));
  });

  it.each(['first.', 'second.'])('needs the %s moments of the optimiser to do so', async (moments) => {
    await interruptedAt(`cold-${moments}`, 8);
    await overwrite(runFolder(join(root, `cold-${moments}`)).state, moments, 0);
    await pretrain(config, resumed(`cold-${moments}`), context());
    expect(await weights(`cold-${moments}`)).not.toEqual(await weights('whole'));
  });

  it('can be stopped again, and before its first step', async () => {
    const early = context((_event, stop) => stop());
    await expect(pretrain(config, fresh('twice'), early)).rejects.toThrow(
      /stopped before the first step; nothing was written/,
    );
    expect(existsSync(join(root, 'twice'))).toBe(false);
    const late = context((event, stop) => {
      if (event.type === 'step' && event.step === 12) stop();
    });
    await expect(pretrain(config, fresh('twice'), late)).rejects.toThrow(/stopped after step 12 of 16/);
    await pretrain(config, resumed('twice'), context());
    expect(await weights('twice')).toEqual(await weights('whole'));
  });

  it('can be stopped in the last evaluation', async () => {
    const stopping = context((event, stop) => {
      if (event.type === 'evaluating' && existsSync(join(root, 'last', 'state.safetensors'))) {
        if (metrics('last').some(({ step }) => step === 16)) stop();
      }
    });
    await expect(pretrain(config, fresh('last'), stopping)).rejects.toThrow(/stopped during the last evaluation/);
    await pretrain(config, resumed('last'), context());
    expect(await weights('last')).toEqual(await weights('whole'));
    expect(timeless('last')).toEqual(timeless('whole'));
  });

  it('is not resumed under other settings, and its settings stay', async () => {
    await interruptedAt('other', 4);
    const before = readFileSync(join(root, 'other', 'config.resolved.yaml'), 'utf8');
    const other = { ...config, seed: 99 };
    await expect(pretrain(other, resumed('other'), context())).rejects.toThrow(ConfigError);
    expect(readFileSync(join(root, 'other', 'config.resolved.yaml'), 'utf8')).toBe(before);
  });
});

describe('a finished run', () => {
  it('stays as it is to the byte when resumed, and tells the same', async () => {
    const first = await pretrain(config, fresh('finished'), context());
    const before = filesIn(join(root, 'finished'));
    const later = laterContext();
    const again = await pretrain(config, resumed('finished'), later);
    expect(filesIn(join(root, 'finished'))).toEqual(before);
    expect(later.events).toContainEqual(nothingLeft(join(root, 'finished')));
    const times = { imagesPerSecond: 0, dataWait: 0, seconds: 0 };
    expect({ ...again, ...times }).toEqual({ ...first, ...times });
  });

  it('is written again when its model is of other settings', async () => {
    await pretrain(config, fresh('foreign'), context());
    await pretrain({ ...config, seed: 8 }, fresh('foreign-2'), context());
    copyFileSync(runFolder(join(root, 'foreign-2')).model, runFolder(join(root, 'foreign')).model);
    await pretrain(config, resumed('foreign'), context());
    expect(await weights('foreign')).toEqual(await weights('whole'));
  });

  it('measures and writes the model again when resumed, and adds nothing to the metrics', async () => {
    await pretrain(config, fresh('again'), context());
    const before = timeless('again');
    rmSync(runFolder(join(root, 'again')).model);
    const result = await pretrain(config, resumed('again'), context());
    expect(result).toMatchObject({ steps: 16, imagesPerSecond: 0 });
    expect(await weights('again')).toEqual(await weights('whole'));
    expect(timeless('again')).toEqual(before);
  });
});

describe('what goes wrong', () => {
  it('is told with the step when training diverges, and leaves no model', async () => {
    const wild = pico({ train: { lr: 1e9 } });
    const refused = pretrain(wild, fresh('wild'), context());
    await expect(refused).rejects.toThrow(TrainingError);
    await expect(refused).rejects.toThrow(/^step \d+: loss is [^\n]+; no state had been saved yet$/);
    expect(readdirSync(join(root, 'wild')).sort()).toEqual(['config.resolved.yaml', 'metrics.jsonl']);
  });

  it('leaves the last saved state when training diverges after it', async () => {
    await interruptedAt('late', 8);
    const { state } = runFolder(join(root, 'late'));
    await overwrite(state, 'parameter.head.bias', Number.NaN);
    const before = readFileSync(state);
    const refused = pretrain(config, resumed('late'), context());
    await expect(refused).rejects.toThrow(`step 9: loss is NaN`);
    await expect(refused).rejects.toThrow(`${state} holds the state after step 8`);
    expect(readFileSync(state).equals(before)).toBe(true);
    expect(existsSync(runFolder(join(root, 'late')).model)).toBe(false);
  });

  it('leaves the folder untouched when the data is not there', async () => {
    const data = {
      source: 'idx',
      train: { images: 'no', labels: 'no' },
      test: { images: 'no', labels: 'no' },
      classes: 4,
    };
    await expect(pretrain(pico({ data }), fresh('nodata'), context())).rejects.toThrow(/^no: no such file/);
    expect(existsSync(join(root, 'nodata'))).toBe(false);
  });

  it('keeps the earlier run when one that should replace it cannot start', async () => {
    await interruptedAt('kept', 4);
    const before = readdirSync(join(root, 'kept'));
    const replacing = { ...fresh('kept'), force: true };
    const big = pico({ train: { epochs: 1, batch: 1000 } });
    await expect(pretrain(big, replacing, context())).rejects.toThrow(/1000 is more than the 256 training images/);
    expect(readdirSync(join(root, 'kept'))).toEqual(before);
  });

  it('is a test split of another size than the training split', async () => {
    const idx = (name: string, side: number) => {
      const file = (rest: number[], bytes: number) =>
        Buffer.concat([Buffer.from([0, 0, 8, rest.length]), ...rest.map(be), Buffer.alloc(bytes)]);
      const be = (value: number) => {
        const buffer = Buffer.alloc(4);
        buffer.writeUInt32BE(value);
        return buffer;
      };
      const paths = { images: join(root, `${name}-images`), labels: join(root, `${name}-labels`) };
      writeFileSync(paths.images, file([4, side, side], 4 * side * side));
      writeFileSync(paths.labels, file([4], 4));
      return paths;
    };
    const data = { source: 'idx', train: idx('train', 16), test: idx('test', 8), classes: 4 };
    const settings = pico({ data, train: { epochs: 1, batch: 2 } });
    await expect(pretrain(settings, fresh('sizes'), context())).rejects.toThrow(/image size 16x16, the data 8x8/);
  });
});

describe('checkPretrain', () => {
  it.each([
    ['heads that do not divide the width', { model: { heads: 3 } }, /width 32 is not divisible by heads 3/],
    ['a patch that does not divide drawn images', { model: { patch: 5 } }, /image 16x16 is not divisible by patch 5/],
    ['an image that is not the drawn one', { model: { image: 28 } }, /image size 28x28, the data 16x16/],
    ['channels that are not the drawn ones', { model: { channels: 3 } }, /channels 3, the data 1/],
    ['a size that nobody gives', { model: { depth: null } }, /model\.depth: is missing/],
    ['an MLP without units', { model: { mlp_ratio: 0.001 } }, /leaves the MLP no unit/],
    ['a device that no engine has', { engine: { device: 'cud' } }, /has no device 'cud'/],
  ])('refuses %s', (_name, changes, message) => {
    expect(() => checkPretrain(pico(changes))).toThrow(message);
  });

  it.each([
    ['no sizes of images', {}],
    ['a preset', { preset: 'vit-28-micro', patch: null, depth: null, width: null, heads: null }],
  ])('accepts what only the data can tell, for %s', (_name, model) => {
    const files = { images: 'not there', labels: 'not there' };
    const data = { source: 'idx', train: files, test: files, classes: 4 };
    expect(() => checkPretrain(pico({ data, model }))).not.toThrow();
    expect(() => checkPretrain(pico({ data, model: { ...model, heads: 7 } }))).toThrow(/not divisible by heads 7/);
  });
});
