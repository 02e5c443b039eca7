import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  DTYPES,
  type Dtype,
  dtypeBits,
  isDtype,
  type MemoryTensor,
  openSafetensors,
  serializeSafetensors,
  writeSafetensors,
} from '#wave/checkpoint/index.js';
import { temporaryFolder } from './helpers.js';

// Made by scripts/fixtures/make-safetensors-fixtures.py with the Python package 0.8.0 and PyTorch.
interface ExpectedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly hex: string;
  /** The values converted to float32 by PyTorch. */
  readonly float32?: string;
}
interface ExpectedFile {
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly ExpectedTensor[];
}

const fixtures = fileURLToPath(new URL('fixtures/', import.meta.url));
const expected: readonly ExpectedFile[] = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8'));
const cases = expected.map((item) => [item.file, item] as const);
const script = fileURLToPath(new URL('../../scripts/check-safetensors-with-python.py', import.meta.url));

function toMemory(tensor: ExpectedTensor): readonly [string, MemoryTensor] {
  if (!isDtype(tensor.dtype)) {
    throw new Error(`fixture with unknown dtype ${tensor.dtype}`);
  }
  return [tensor.name, { dtype: tensor.dtype, shape: tensor.shape, data: Buffer.from(tensor.hex, 'hex') }];
}

describe('files written by Python', () => {
  it.each(cases)('are read exactly: %s', async (name, wanted) => {
    const file = await openSafetensors(join(fixtures, name));
    expect(Object.fromEntries(file.metadata)).toEqual(wanted.metadata);
    expect([...file.tensors.keys()].sort()).toEqual(wanted.tensors.map((tensor) => tensor.name).sort());
    expect(file.warnings).toEqual([]);
    for (const tensor of wanted.tensors) {
      const info = file.tensors.get(tensor.name);
      expect([info?.dtype, info?.shape]).toEqual([tensor.dtype, tensor.shape]);
      expect(Buffer.from(await file.readBytes(tensor.name)).toString('hex')).toBe(tensor.hex);
    }
    await file.close();
  });

  it.each(cases)('have the values that PyTorch gives: %s', async (name, wanted) => {
    const file = await openSafetensors(join(fixtures, name));
    for (const tensor of wanted.tensors) {
      if (tensor.float32 === undefined) {
        await expect(file.readFloat32(tensor.name)).rejects.toMatchObject({ code: 'UnsupportedDtype' });
      } else {
        const bytes = new Uint8Array(Buffer.from(tensor.float32, 'hex'));
        expect(await file.readFloat32(tensor.name)).toEqual(new Float32Array(bytes.buffer));
      }
    }
    await file.close();
  });

  it('cover every dtype that PyTorch has', () => {
    const covered = new Set(expected.flatMap((file) => file.tensors.map((tensor) => tensor.dtype)));
    expect(DTYPES.filter((dtype) => !covered.has(dtype))).toEqual(['F6_E2M3', 'F6_E3M2']);
  });
});

describe('files written here', () => {
  const comparable = cases.filter(([, item]) => Object.keys(item.metadata).length <= 1);

  it.each(comparable)('are byte for byte what Python writes: %s', (name, item) => {
    const bytes = serializeSafetensors(item.tensors.map(toMemory).reverse(), Object.entries(item.metadata));
    expect(Buffer.from(bytes).equals(readFileSync(join(fixtures, name)))).toBe(true);
  });

  const python = process.env.WAVE_PYTHON ?? 'python3';
  const hasPackage = spawnSync(python, ['-c', 'import safetensors'], { stdio: 'ignore' }).status === 0;
  const folder = temporaryFolder();

  it.skipIf(!hasPackage)(
    `are read by Python with the same bytes (needs ${python} with the package safetensors; set WAVE_PYTHON)`,
    async () => {
      const path = join(folder, 'every.safetensors');
      const tensors = new Map<string, MemoryTensor & { readonly data: Uint8Array }>();
      for (const dtype of DTYPES) {
        for (let rank = 0; rank <= 8; rank++) {
          tensors.set(`${dtype} of rank ${rank} \u{1f600}`, filled(dtype, rank));
        }
      }
      await writeSafetensors(path, tensors, [
        ['format', 'pt'],
        ['ü', '"quoted"'],
      ]);
      const answer = execFileSync(python, [script, path], { encoding: 'utf8' });
      expect(JSON.parse(answer)).toEqual({
        file: path,
        metadata: { format: 'pt', ü: '"quoted"' },
        tensors: [...tensors]
          .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
          .map(([name, { dtype, shape, data }]) => {
            return { name, dtype, shape, sha256: createHash('sha256').update(data).digest('hex') };
          }),
      });
    },
  );
});

/** A tensor with distinct bytes; the last size is a multiple of 8 elements where the dtype needs whole bytes. */
function filled(dtype: Dtype, rank: number): MemoryTensor & { readonly data: Uint8Array } {
  const isSubByte = dtypeBits(dtype) < 8;
  const shape = Array.from({ length: rank }, (_, dim) => (dim === rank - 1 && isSubByte ? 8 : 1 + (dim % 3)));
  const fixed = isSubByte && rank === 0 ? [8] : shape;
  const bytes = (fixed.reduce((product, size) => product * size, 1) * dtypeBits(dtype)) / 8;
  return { dtype, shape: fixed, data: Uint8Array.from({ length: bytes }, (_, i) => i % 2) };
}
