/** `wave inspect` on an artifact, a file of another tool, a model in several files, and what is none of these. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeArtifact, writeSafetensors } from '#wave/checkpoint/index.js';
import { onlyDocument, wave } from './support.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wave-inspect-'));
});

afterAll(() => rm(folder, { recursive: true }));

function zeros(...shape: number[]) {
  const count = shape.reduce((product, size) => product * size, 1);
  return { dtype: 'F32' as const, shape, data: new Float32Array(count) };
}

const vit = {
  cls_token: zeros(1, 1, 4),
  pos_embed: zeros(1, 5, 4),
  'patch_embed.proj.weight': zeros(4, 1, 2, 2),
  'blocks.0.attn.qkv.weight': zeros(12, 4),
  'blocks.1.attn.qkv.weight': zeros(12, 4),
  'norm.weight': zeros(4),
  'head.weight': zeros(3, 4),
  'head.bias': zeros(3),
};
const vitParameters = { total: 155, blocks: 96, embeddings: 40, head: 15, other: 4 };

const lineage = {
  command: 'wave pretrain --config a.yaml --out runs/a',
  configSha256: 'ab'.repeat(32),
  parents: [],
  seed: 7,
  engine: 'ort/cpu',
  toolVersion: '0.1.0',
  date: '2026-01-02T03:04:05Z',
};

describe('an artifact', () => {
  const path = () => join(folder, 'model.safetensors');
  beforeAll(() =>
    writeArtifact(path(), {
      kind: 'model',
      spec: { width: 4, depth: 2, pool: 'token' },
      lineage,
      tensors: Object.entries(vit),
    }),
  );

  it('is listed with its kind, spec, lineage and parameters by part', async () => {
    const { code, stdout, stderr } = await wave(['inspect', path()]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replaceAll(path(), 'model.safetensors')).toMatchInlineSnapshot(`
      "file          model.safetensors
      kind          model
      depth         2
      pool          token
      width         4
      command       wave pretrain --config a.yaml --out runs/a
      configSha256  abababababababababababababababababababababababababababababababab
      parents       []
      seed          7
      engine        ort/cpu
      toolVersion   0.1.0
      date          2026-01-02T03:04:05Z

      tensor                    dtype         shape  parameters
      ------------------------  -----  ------------  ----------
      blocks.0.attn.qkv.weight  F32         [12, 4]          48
      blocks.1.attn.qkv.weight  F32         [12, 4]          48
      cls_token                 F32       [1, 1, 4]           4
      head.bias                 F32             [3]           3
      head.weight               F32          [3, 4]          12
      norm.weight               F32             [4]           4
      patch_embed.proj.weight   F32    [4, 1, 2, 2]          16
      pos_embed                 F32       [1, 5, 4]          20

      tensors       8
      parameters    155
        blocks      96
        embeddings  40
        head        15
        other       4
      "
    `);
  });

  it('is found by its folder and listed as data with --json', async () => {
    const { code, stdout } = await wave(['inspect', folder, '--json']);
    expect(code).toBe(0);
    expect(onlyDocument(stdout)).toMatchObject({
      ok: true,
      result: {
        files: [path()],
        kind: 'model',
        spec: { width: 4, depth: 2, pool: 'token' },
        lineage: { seed: 7, command: lineage.command },
        parameters: vitParameters,
        warnings: [],
      },
    });
    const { result } = onlyDocument(stdout) as { result: { tensors: { name: string }[] } };
    expect(result.tensors.map((tensor) => tensor.name).sort()).toEqual(Object.keys(vit).sort());
    expect(result.tensors).toContainEqual({ name: 'head.weight', dtype: 'F32', shape: [3, 4], parameters: 12 });
  });
});

describe('a saved state', () => {
  it('counts the parameters, not the moments of the optimiser', async () => {
    const path = join(folder, 'state.safetensors');
    const tensors = ['parameter', 'first', 'second'].flatMap((part) =>
      Object.entries(vit).map(([name, tensor]) => [`${part}.${name}`, tensor] as const),
    );
    await writeArtifact(path, { kind: 'state', spec: { step: 12, optimiser_step: 12 }, lineage, tensors });
    const { stdout } = await wave(['inspect', path, '--json']);
    const { result } = onlyDocument(stdout) as { result: { kind: string; parameters: unknown; tensors: unknown[] } };
    expect(result.kind).toBe('state');
    expect(result.parameters).toEqual(vitParameters);
    expect(result.tensors).toHaveLength(tensors.length);
  });
});

describe('a file of another tool', () => {
  it('is listed with its own metadata, names of Hugging Face included', async () => {
    const path = join(folder, 'hf.safetensors');
    const tensors = {
      'vit.embeddings.cls_token': zeros(1, 1, 4),
      'vit.encoder.layer.11.attention.attention.query.weight': zeros(4, 4),
      'vit.layernorm.weight': zeros(4),
      'classifier.weight': zeros(3, 4),
      scale: zeros(),
    };
    await writeSafetensors(path, Object.entries(tensors), Object.entries({ made_by: 'someone' }));
    const { stdout } = await wave(['inspect', path, '--json']);
    expect(onlyDocument(stdout)).toMatchObject({
      result: {
        kind: null,
        spec: null,
        lineage: null,
        metadata: { made_by: 'someone' },
        parameters: { total: 37, blocks: 16, embeddings: 4, head: 12, other: 5 },
      },
    });
  });

  it('has its warnings on stderr, not among the results', async () => {
    const path = join(folder, 'odd.safetensors');
    const header = '{"__metadata__":{},"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}';
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await writeFile(path, Buffer.concat([length, Buffer.from(header)]));
    const { code, stderr, stdout } = await wave(['inspect', path, '--json']);
    const { result } = onlyDocument(stdout) as { result: { warnings: string[] } };
    expect(code).toBe(0);
    expect(stderr).toBe(result.warnings.map((warning) => `wave: warning: ${warning}\n`).join(''));
  });
});

describe('a model in several files', () => {
  it('is listed as one', async () => {
    const sharded = await mkdtemp(join(folder, 'sharded-'));
    const names = Object.keys(vit) as (keyof typeof vit)[];
    const map: Record<string, string> = {};
    for (const [i, half] of [names.slice(0, 4), names.slice(4)].entries()) {
      const shard = `model-0000${i + 1}-of-00002.safetensors`;
      for (const name of half) map[name] = shard;
      await writeSafetensors(
        join(sharded, shard),
        half.map((name) => [name, vit[name]] as const),
      );
    }
    await writeFile(join(sharded, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    const { stdout } = await wave(['inspect', sharded, '--json']);
    expect(onlyDocument(stdout)).toMatchObject({ result: { parameters: vitParameters } });
    const { result } = onlyDocument(stdout) as { result: { files: string[]; tensors: unknown[] } };
    expect(result.files).toHaveLength(2);
    expect(result.tensors).toHaveLength(names.length);
  });
});

describe('what is not a checkpoint', () => {
  it.each([
    ['a missing file', 'missing.safetensors'],
    ['a truncated file', 'cut.safetensors'],
    ['a text file', 'text.safetensors'],
  ])('%s is refused in one line that names it', async (_name, file) => {
    const path = join(folder, file);
    if (file.startsWith('cut')) {
      await writeFile(path, (await readFile(join(folder, 'model.safetensors'))).subarray(0, -4));
    } else if (file.startsWith('text')) {
      await writeFile(path, 'this is a text, not a model\n');
    }
    const { code, stdout, stderr } = await wave(['inspect', path]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^wave: error: [^\n]+\n$/);
    expect(stderr).toContain(file);
  });
});
