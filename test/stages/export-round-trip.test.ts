/** Models of every kind and size go out as another library's files and come back the same, or are refused. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createRng } from '#wave/base/rng.js';
import { loadModel } from '#wave/model/load.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { exportModel } from '#wave/stages/export.js';
import { isOfTransformers, KINDS, SMALL, saved, valuesOf } from './export-support.js';
import { context } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-export-round-trip-'));
afterAll(() => rmSync(root, { recursive: true }));
let dir: string;
let folder: string;
let count = 0;

beforeEach(() => {
  folder = join(root, `model-${++count}`);
  dir = join(root, `out-${count}`);
});

const out = () => ({ dir, force: false });
const timm = { format: 'timm' };
const hf = { format: 'hf' };

/** What reading the files of another library always makes of a spec. */
function asRead(spec: ModelSpec): ModelSpec {
  const { preprocess } = spec;
  const full = preprocess && { resize: spec.image, resize_mode: 'shortest', interpolation: 'bicubic', ...preprocess };
  return { ...spec, ...(full && { preprocess: full as ModelSpec['preprocess'] }) };
}

describe.each(Object.entries(KINDS))('a model with %s', (_, change) => {
  const spec = { ...SMALL, ...change };
  const noPrefix = !spec.class_token && spec.register_tokens === 0;

  it('is the same after timm', async () => {
    const model = await saved(folder, spec);
    await exportModel(model, timm, out(), context());
    const read = await loadModel(dir);
    const inOtherForm = spec.distillation_token
      ? ['position_prefix', 'final_norm']
      : noPrefix
        ? ['position_prefix']
        : [];
    expectSame(read, spec, inOtherForm);
  });

  if (isOfTransformers(spec)) {
    it('is the same after Hugging Face', async () => {
      await exportModel(await saved(folder, spec), hf, out(), context());
      expectSame(await loadModel(dir), spec, ['position_prefix', 'final_norm']);
    });
  } else {
    it('is refused for Hugging Face, and nothing is written', async () => {
      const done = exportModel(await saved(folder, spec), hf, out(), context());
      await expect(done).rejects.toThrow(
        /: (?:has|reads) .*which ViT and DeiT of transformers cannot; use --format timm/,
      );
      expect(existsSync(dir)).toBe(false);
    });
  }
});

/** Spec and values, but for fields of which the format has one form only. */
function expectSame(
  read: { spec: ModelSpec; values: ReadonlyMap<string, Float32Array> },
  spec: ModelSpec,
  free: string[],
) {
  const { position_prefix, final_norm } = read.spec;
  const forms = {
    ...(free.includes('position_prefix') && { position_prefix }),
    ...(free.includes('final_norm') && { final_norm }),
  };
  expect(read.spec).toEqual({ ...asRead(spec), ...forms });
  for (const [name, values] of valuesOf(spec)) {
    const own = read.values.get(name) ?? read.values.get(name.replace('fc_norm', 'norm'));
    const added = own && own.length - values.length;
    expect(own?.subarray(added), name).toEqual(values);
    expect(
      own?.subarray(0, added).every((value) => value === 0),
      name,
    ).toBe(true);
  }
}

describe('models of all sizes', () => {
  const rng = createRng(7, 'specs');
  const pick = <T>(choices: readonly T[]): T => choices[rng.int(choices.length)] as T;
  const drawn = Array.from({ length: 24 }, (_, i): [number, ModelSpec] => {
    const heads = 1 + rng.int(4);
    const patch = 2 + rng.int(4);
    const image: [number, number] = [patch * (1 + rng.int(4)), patch * (1 + rng.int(4))];
    const channels = pick([1, 3, 4]);
    const classes = 1 + rng.int(12);
    const larger = pick([0, 1, 2, 5]);
    const preprocess = {
      mean: Array.from({ length: channels }, () => rng.uniform()),
      std: Array.from({ length: channels }, () => 0.1 + rng.uniform()),
      resize: [image[0] + larger, image[1] + larger] as [number, number],
      resize_mode: 'squash' as const,
      interpolation: pick(['nearest', 'bilinear', 'bicubic', 'lanczos'] as const),
    };
    const labels = Array.from({ length: classes }, (_, id) => `class ${id % 7} "\u00e9"`);
    const spec: ModelSpec = {
      ...SMALL,
      image,
      patch,
      channels,
      classes,
      heads,
      depth: 1 + rng.int(3),
      width: heads * (1 + rng.int(20)),
      hidden: 1 + rng.int(200),
      distillation_token: pick([true, false]),
      labels,
      preprocess,
    };
    return [i, spec];
  });

  it.each(drawn)('%i goes through Hugging Face and back', async (_, spec) => {
    await exportModel(await saved(folder, { ...spec, eps: 1e-12 }), hf, out(), context());
    expect((await loadModel(dir)).spec).toEqual({ ...spec, eps: 1e-12 });
  });

  it.each(drawn)('%i goes through timm and back', async (_, spec) => {
    const told = context();
    await exportModel(await saved(folder, spec), timm, out(), told);
    const { spec: read } = await loadModel(dir);
    const warned = told.events.some((event) => event.type === 'warning' && /cannot resize/.test(event.text));
    const resize = warned ? { preprocess: { ...spec.preprocess, resize: read.preprocess?.resize } } : {};
    expect(read).toEqual({ ...spec, ...resize });
  });
});
