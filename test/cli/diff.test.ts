/** `wave diff`: artifacts, files of other tools, other names for the same, and the limit for scripts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ArtifactKind, type Lineage, writeArtifact, writeSafetensors } from '#wave/checkpoint/index.js';
import type { CheckpointDiff } from '#wave/index.js';
import { onlyDocument, wave } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-diff-'));
afterAll(() => rmSync(root, { recursive: true }));

const lineage: Lineage = {
  command: 'wave pretrain --config a.yaml --out runs/a',
  configSha256: 'ab'.repeat(32),
  parents: [],
  seed: 7,
  engine: 'ort/cpu',
  toolVersion: '0.1.0',
  date: '2026-01-02T03:04:05Z',
};

const f32 = (shape: readonly number[], ...values: number[]) => ({
  dtype: 'F32' as const,
  shape,
  data: Float32Array.of(...values),
});
type Tensor = ReturnType<typeof f32>;
const X = f32([2, 2], 3, 4, 0, 0);
const Y = f32([3], 1, 2, 3);

let files = 0;
/** A path of its own for every file. */
const fresh = (name = 'model.safetensors') => {
  const path = join(root, String(files++), name);
  mkdirSync(dirname(path));
  return path;
};
async function artifact(
  tensors: Record<string, Tensor> = { x: X, y: Y },
  {
    kind = 'model',
    spec = { width: 4, image: [8, 8] },
    ...more
  }: { kind?: ArtifactKind; spec?: unknown; lineage?: Lineage; metadata?: [string, string][] } = {},
  path = fresh(),
) {
  await writeArtifact(path, { kind, spec, lineage, tensors: Object.entries(tensors), ...more });
  return path;
}
async function bare(tensors: Record<string, object>, metadata: [string, string][] = []) {
  const path = fresh();
  await writeSafetensors(path, Object.entries(tensors) as [string, Tensor][], metadata);
  return path;
}

/** The result of a comparison and the last line of its table. */
async function diff(a: string, b: string) {
  const json = await wave(['diff', a, b, '--json']);
  expect({ code: json.code, stderr: json.stderr }).toEqual({ code: 0, stderr: '' });
  const { result } = onlyDocument(json.stdout) as { result: CheckpointDiff };
  const { stdout } = await wave(['diff', a, b]);
  return {
    result,
    stdout: stdout.replaceAll(a, 'A.st').replaceAll(b, 'B.st'),
    last: stdout.trimEnd().split('\n').at(-1),
  };
}

/** What a limit says: nothing, or the message. */
async function limit(a: string, b: string, tolerance: string) {
  const { code, stdout, stderr } = await wave(['diff', a, b, '--tolerance', tolerance]);
  expect(stdout).not.toBe('');
  expect(code).toBe(stderr === '' ? 0 : 3);
  expect(stderr).toMatch(/^(wave: error: [^\n]+\n)?$/);
  return stderr.replace('wave: error: ', '').replaceAll(a, 'A.st').replaceAll(b, 'B.st').trimEnd();
}

describe('two files', () => {
  it('of the same content, lineage and metadata are identical', async () => {
    const [a, b] = [await artifact(), await artifact()];
    const { result, stdout } = await diff(a, b);
    expect(result).toMatchObject({ identical: true, sameValues: true, names: 'own', tensors: 2, differences: [] });
    expect(stdout).toBe('A  A.st (model, 2 tensors)\nB  B.st (model, 2 tensors)\n\nidentical\n');
    expect(await limit(a, b, '0')).toBe('');
  });

  it('that differ in values say where most, in numbers and in words', async () => {
    const b = await artifact({ x: f32([2, 2], 3, 4.5, 0, 0), y: f32([3], 1, 2.25, 3.25) });
    const { result, stdout } = await diff(await artifact(), b);
    expect(result).toMatchObject({ identical: false, sameValues: false, largest: { name: 'x', difference: 0.5 } });
    expect(result.differences).toEqual([
      {
        name: 'x',
        what: 'values',
        a: { dtype: 'F32', shape: [2, 2] },
        b: { dtype: 'F32', shape: [2, 2] },
        unequal: 1,
        largest: 0.5,
        relative: 0.1,
        notFinite: 0,
      },
      expect.objectContaining({ name: 'y', unequal: 2, largest: 0.25, relative: Math.sqrt(0.125 / 14) }),
    ]);
    expect(stdout).toMatchInlineSnapshot(`
      "A  A.st (model, 2 tensors)
      B  B.st (model, 2 tensors)

      tensor  difference  relative  values  what
      ------  ----------  --------  ------  ----------
      x              0.5       0.1       1  F32 [2, 2]
      y             0.25    0.0945       2  F32 [3]

      2 of 2 tensors differ, largest 0.5 in x
      "
    `);
  });

  it('of other tools of which one has no format say nothing of it, but in the JSON', async () => {
    const [a, b] = [await bare({ x: X }), await bare({ x: X }, [['format', 'pt']])];
    const { result, stdout, last } = await diff(a, b);
    expect(result.metadata).toEqual([{ path: 'format', b: 'pt' }]);
    expect(last).toBe('same values');
    expect(stdout).not.toContain('format');
    const other = await diff(b, await bare({ x: X }, [['format', 'tf']]));
    expect(other.last).toBe('same values; metadata differs: format');
  });

  it('that were made twice say that only the lineage differs, and how', async () => {
    const later = { ...lineage, date: '2026-02-02T00:00:00Z', command: 'wave pretrain --config b.yaml' };
    const [a, b] = [await artifact(), await artifact(undefined, { lineage: later })];
    const { result, last, stdout } = await diff(a, b);
    expect(result).toMatchObject({ identical: false, sameValues: true, spec: [], differences: [] });
    expect(result.lineage).toEqual([
      { path: 'command', a: lineage.command, b: later.command },
      { path: 'date', a: lineage.date, b: later.date },
    ]);
    expect(last).toBe('same values; lineage differs: command, date');
    expect(stdout).toContain('lineage.date     2026-01-02T03:04:05Z');
    expect(await limit(a, b, '0')).toBe('');
  });

  it('of other specs, kinds and metadata say so field by field', async () => {
    const a = await artifact(undefined, {
      spec: { model: { width: 4, image: [8, 8] }, gone: 1 },
      metadata: [['by', 'me']],
    });
    const b = await artifact(undefined, {
      kind: 'templates',
      spec: { model: { width: 6, image: [8, 9] }, come: null },
    });
    const { result, last } = await diff(a, b);
    expect(result.spec).toEqual([
      { path: 'gone', a: 1 },
      { path: 'model.image', a: [8, 8], b: [8, 9] },
      { path: 'model.width', a: 4, b: 6 },
      { path: 'come', b: null },
    ]);
    expect(result).toMatchObject({ identical: false, a: { kind: 'model' }, b: { kind: 'templates' } });
    expect(result.metadata).toEqual([{ path: 'by', a: 'me' }]);
    expect(last).toBe(
      'same values; kind differs: model, templates; spec differs: gone, model.image, model.width, come; metadata differs: by',
    );
  });

  it('of scalers tell the hash of their templates apart from what they are', async () => {
    const scalers = (hash: string) =>
      artifact(undefined, { kind: 'scalers', spec: { width: 4, templates_sha256: hash } });
    const { result, last } = await diff(await scalers('aa'), await scalers('bb'));
    expect(result).toMatchObject({ spec: [], lineage: [{ path: 'templates_sha256', a: 'aa', b: 'bb' }] });
    expect(last).toBe('same values; lineage differs: templates_sha256');
  });

  it('of other types say whether the values are the same', async () => {
    const wide = { dtype: 'F64' as const, shape: [2, 2], data: Float64Array.of(3, 4, 0, 0) };
    const { result, last } = await diff(await bare({ x: X, y: Y }), await bare({ x: wide, y: Y }));
    expect(result).toMatchObject({ identical: false, sameValues: true, differences: [{ name: 'x', what: 'dtype' }] });
    expect(last).toBe('same values; types differ in 1 tensor');
  });

  it('are more different where a tensor is missing or has another shape', async () => {
    const a = await artifact({ x: X, y: Y, a: Y });
    const b = await artifact({ x: X, y: f32([1, 3], 1, 2, 3), b: Y, c: Y });
    const { result, last } = await diff(a, b);
    expect(result.differences.map(({ name, what }) => [name, what])).toEqual([
      ['a', 'only in a'],
      ['b', 'only in b'],
      ['c', 'only in b'],
      ['y', 'shape'],
    ]);
    expect(result).toMatchObject({ tensors: 5, largest: null });
    const found = '1 tensor only in A, 2 tensors only in B, 1 tensor of another shape';
    expect(last).toBe(`4 of 5 tensors differ, ${found}`);
    expect(await limit(a, b, '1000')).toBe(`A.st and B.st: must agree within 1000; found ${found}`);
  });

  it('with more differences than fit a table have them all in the JSON', async () => {
    const many = (value: number) =>
      Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`t${i}`, f32([1], value * i)]));
    const { result, stdout, last } = await diff(await artifact(many(1)), await artifact(many(2)));
    expect(result.differences).toHaveLength(29);
    expect(stdout).toMatch(/^t29 +29 +1 +1 +F32 \[1\]$/m);
    expect(stdout).toContain('\nand 9 more (all with --json)\n');
    expect(stdout).not.toMatch(/^t9 /m);
    expect(last).toBe('29 of 30 tensors differ, largest 29 in t29');
  });
});

describe('a limit', () => {
  it('lets pass what is just as large, and nothing more', async () => {
    const [a, b] = [await artifact(), await artifact({ x: f32([2, 2], 3, 4.5, 0, 0), y: Y })];
    expect(await limit(a, b, '0.5')).toBe('');
    expect(await limit(a, b, '0.49')).toBe('A.st and B.st: must agree within 0.49; found a difference of 0.5 in x');
    expect(await limit(a, b, '0')).toBe('A.st and B.st: must agree within 0; found a difference of 0.5 in x');
    const { code, stdout } = await wave(['diff', a, b, '--tolerance', '0', '--json']);
    expect(code).toBe(3);
    expect(onlyDocument(stdout)).toMatchObject({
      ok: false,
      error: { type: 'CheckError' },
      result: { identical: false },
    });
  });

  it('is told with three digits, unless they hide that it is exceeded', async () => {
    const [a, b] = [await artifact({ x: f32([1], 0) }), await artifact({ x: f32([1], 0.005151420831680298) })];
    expect(await limit(a, b, '0.001')).toBe(
      'A.st and B.st: must agree within 0.001; found a difference of 0.00515 in x',
    );
    expect(await limit(a, b, '0.00515')).toMatch(/found a difference of 0\.0051514\d+ in x$/);
  });

  it('is broken by NaN against a number, not by NaN against NaN, which is told', async () => {
    const [nan, number] = [await artifact({ x: f32([2], 1, Number.NaN) }), await artifact({ x: f32([2], 1, 2) })];
    expect((await diff(nan, nan)).last).toBe('identical; 1 value NaN on both sides, taken as equal');
    expect(await limit(nan, nan, '0')).toBe('');
    expect((await diff(nan, number)).result.differences).toMatchObject([{ notFinite: 1, largest: 0, unequal: 1 }]);
    expect(await limit(number, nan, '1e9')).toBe(
      'A.st and B.st: must agree within 1000000000; found 1 tensor with NaN or infinity against another value',
    );
  });

  it('is broken by types without numbers that are not the same', async () => {
    const fp8 = (dtype: string, ...values: number[]) =>
      bare({ x: { dtype, shape: [2], data: Uint8Array.of(...values) } });
    const [a, b] = [await fp8('F8_E4M3', 1, 2), await fp8('F8_E4M3', 1, 3)];
    expect((await diff(a, await fp8('F8_E4M3', 1, 2))).last).toBe('identical');
    expect((await diff(a, b)).result.differences).toMatchObject([{ what: 'unreadable', largest: null }]);
    expect(await limit(a, b, '1e9')).toContain('1 tensor of a type without numbers');
    expect(await limit(a, await fp8('F8_E5M2', 1, 2), '1e9')).toContain('1 tensor of a type without numbers');
  });
});

/** A ViT of width 2, patches of 1 and one block: query, key and value in one tensor, or in three. */
const values = (shape: readonly number[], seed: number) => {
  const count = shape.reduce((product, size) => product * size, 1);
  return f32(shape, ...Array.from({ length: count }, (_, i) => seed + i / 8));
};
const rows = ({ shape: [, ...rest], data }: Tensor, part: number): Tensor => {
  const third = data.length / 3;
  return f32([2, ...rest], ...data.subarray(part * third, (part + 1) * third));
};
const QKV = { weight: values([6, 2], 5), bias: values([6], 9) };
const timm = (prefix = '') => ({
  [`${prefix}cls_token`]: values([1, 1, 2], 1),
  [`${prefix}patch_embed.proj.weight`]: values([2, 1, 1, 1], 2),
  [`${prefix}blocks.0.norm1.weight`]: values([2], 3),
  [`${prefix}blocks.0.attn.qkv.weight`]: QKV.weight,
  [`${prefix}blocks.0.attn.qkv.bias`]: QKV.bias,
  [`${prefix}head.weight`]: values([3, 2], 4),
});
function huggingFace(more: Record<string, Tensor> = {}): Record<string, Tensor> {
  const attention = 'vit.encoder.layer.0.attention.attention';
  const parts = ['query', 'key', 'value'].flatMap((name, part): [string, Tensor][] => [
    [`${attention}.${name}.weight`, rows(QKV.weight, part)],
    [`${attention}.${name}.bias`, rows(QKV.bias, part)],
  ]);
  return {
    'vit.embeddings.cls_token': values([1, 1, 2], 1),
    'vit.embeddings.patch_embeddings.projection.weight': values([2, 1, 1, 1], 2),
    'vit.encoder.layer.0.layernorm_before.weight': values([2], 3),
    ...Object.fromEntries(parts),
    'classifier.weight': values([3, 2], 4),
    ...more,
  };
}

describe('models with other names', () => {
  it("of Hugging Face and of wave are compared under timm's names, and that is said", async () => {
    const [a, b] = [await artifact(timm()), await bare(huggingFace(), [['format', 'pt']])];
    const { result, stdout, last } = await diff(a, b);
    expect(result).toMatchObject({ names: 'timm', sameValues: true, identical: false, tensors: 6, differences: [] });
    expect(result).toMatchObject({ a: { kind: 'model', library: 'timm' }, b: { kind: null, library: 'huggingface' } });
    expect(result.metadata).toEqual([]);
    expect(stdout).toContain("names  timm's, since the two have different ones (A: timm, B: Hugging Face)");
    expect(last).toBe('same values; names differ; kind differs: model, of Hugging Face');
    expect(await limit(a, b, '0')).toBe('');
  });

  it('find a change in one of the three tensors that one parameter is joined of', async () => {
    const name = 'vit.encoder.layer.0.attention.attention.key.weight';
    const key = rows(QKV.weight, 1);
    const changed = await bare(huggingFace({ [name]: f32(key.shape, key.data[0] + 2, ...key.data.subarray(1)) }));
    const { result } = await diff(changed, await bare(timm('module.')));
    expect(result.differences).toMatchObject([{ name: 'blocks.0.attn.qkv.weight', unequal: 1, largest: 2 }]);
  });

  it('with a prefix are compared without it', async () => {
    const { result } = await diff(await bare(timm('module.')), await bare(timm()));
    expect(result).toMatchObject({ names: 'timm', differences: [] });
  });

  it('leave out what no classifier needs, and find what is missing', async () => {
    const pooler = await bare(huggingFace({ 'vit.pooler.dense.weight': values([2, 2], 0), stray: Y }));
    const { result } = await diff(pooler, await artifact(timm()));
    expect(result.differences).toMatchObject([{ name: 'stray', what: 'only in a' }]);
    expect(result.notes).toEqual([`${pooler}: vit.pooler.dense.weight left out: no classifier needs them`]);
  });

  it('take zeros for a bias that only queries and values have', async () => {
    const { 'vit.encoder.layer.0.attention.attention.key.bias': _, ...rest } = huggingFace();
    const path = await bare(rest);
    const { result } = await diff(await artifact(timm()), path);
    expect(result.differences).toMatchObject([
      { name: 'blocks.0.attn.qkv.bias', unequal: 2, largest: QKV.bias.data[3] },
    ]);
    expect(result.notes).toEqual([
      `${path}: zeros for vit.encoder.layer.0.attention.attention.key.bias, which it does not have`,
    ]);
  });

  it('are compared by their own names where both have the same', async () => {
    const { result } = await diff(await bare(huggingFace()), await bare(huggingFace()));
    expect(result).toMatchObject({ names: 'own', identical: true, tensors: 10 });
  });

  it('say why when one of them is no ViT', async () => {
    const other = await bare({ x: X });
    const { result } = await diff(await artifact(timm()), other);
    expect(result).toMatchObject({ names: 'own', tensors: 7 });
    expect(result.notes).toEqual([expect.stringContaining(`${other}: is not a ViT as timm or Hugging Face save it`)]);
  });
});

describe('folders', () => {
  it('stand for the model in them, else for the bank, else for the scalers', async () => {
    const folder = dirname(await artifact({ s: X }, { kind: 'scalers' }, fresh('scalers.safetensors')));
    const named = async () => (await diff(folder, folder)).result.a.files;
    expect(await named()).toEqual([join(folder, 'scalers.safetensors')]);
    await artifact({ t: X }, { kind: 'templates' }, join(folder, 'templates.safetensors'));
    expect(await named()).toEqual([join(folder, 'templates.safetensors')]);
    const inspected = await wave(['inspect', folder, '--json']);
    expect(onlyDocument(inspected.stdout)).toMatchObject({ result: { kind: 'templates' } });
    await artifact({ m: X }, {}, join(folder, 'model.safetensors'));
    expect(await named()).toEqual([join(folder, 'model.safetensors')]);
  });

  it('may hold a model in several files', async () => {
    const folder = dirname(fresh());
    const map: Record<string, string> = {};
    for (const [name, tensor] of Object.entries({ x: X, y: Y })) {
      map[name] = `${name}.safetensors`;
      await writeSafetensors(join(folder, map[name]), [[name, tensor]]);
    }
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    const { result, stdout } = await diff(folder, await bare({ x: X, y: Y }));
    expect(result).toMatchObject({ identical: true, tensors: 2 });
    expect(stdout).toContain('and 1 more file (of another tool, 2 tensors)');
  });

  it.each([
    ['a folder without any', dirname(fresh())],
    ['a file that is not there', join(root, 'none.safetensors')],
  ])('%s is refused in one line that names it', async (_, path) => {
    const a = await artifact();
    for (const words of [
      [a, path],
      [path, a],
    ]) {
      const { code, stdout, stderr } = await wave(['diff', ...words]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^wave: error: [^\n]+\n$/);
      expect(stderr).toContain(path);
    }
  });
});
