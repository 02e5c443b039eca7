import { closeSync, ftruncateSync, openSync, readdirSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Dtype,
  openSafetensors,
  parseSafetensors,
  roundToBf16,
  roundToF16,
  serializeSafetensors,
  type TensorData,
} from '#wave/checkpoint/index.js';
import { entry, framed, parse, rejectionOf, single, temporaryFolder } from './helpers.js';

const folder = temporaryFolder();

describe('numbers', () => {
  const values = new Float32Array([0, -1, 2.5, 100]);

  it('of F16 and BF16 are widened', async () => {
    const file = parse(
      serializeSafetensors([
        ['f16', { dtype: 'F16', shape: [4], data: roundToF16(values) }],
        ['bf16', { dtype: 'BF16', shape: [4], data: roundToBf16(values) }],
      ]),
    );
    for (const name of ['f16', 'bf16']) {
      expect(await file.readFloat32(name)).toEqual(values);
      expect(await file.readNumbers(name)).toEqual(values);
    }
  });

  it.each<[Dtype, TensorData, number[]]>([
    ['F64', new Float64Array([1 / 3, -2]), [Math.fround(1 / 3), -2]],
    ['I64', new BigInt64Array([-(2n ** 63n), 5n]), [-(2 ** 63), 5]],
    ['U64', new BigUint64Array([2n ** 64n - 1n, 5n]), [2 ** 64, 5]],
    ['I32', new Int32Array([-(2 ** 31), 5]), [-(2 ** 31), 5]],
    ['U32', new Uint32Array([2 ** 32 - 1, 5]), [2 ** 32, 5]],
    ['I16', new Int16Array([-300, 5]), [-300, 5]],
    ['U16', new Uint16Array([65535, 5]), [65535, 5]],
    ['I8', new Int8Array([-128, 5]), [-128, 5]],
    ['U8', new Uint8Array([255, 5]), [255, 5]],
    ['BOOL', new Uint8Array([2, 0]), [1, 0]],
  ])('of %s are converted to float32', async (dtype, data, wanted) => {
    const file = parse(serializeSafetensors([['a', { dtype, shape: [2], data }]]));
    expect([...(await file.readFloat32('a'))]).toEqual(wanted);
  });

  it.each<Dtype>(['C64', 'F4', 'F6_E2M3', 'F8_E4M3', 'F8_E8M0'])(
    'of %s are refused by name, bytes are given',
    async (dtype) => {
      const bytes = dtype === 'F4' ? 4 : dtype === 'C64' ? 64 : dtype === 'F6_E2M3' ? 6 : 8;
      const file = parse(single(entry(dtype, [8], 0, bytes), new Uint8Array(bytes)));
      const error = await rejectionOf(file.readFloat32('a'));
      expect(error.code).toBe('UnsupportedDtype');
      expect(error.message).toContain(`tensor "a": dtype ${dtype} cannot be read as float32`);
      expect((await rejectionOf(file.readNumbers('a'))).code).toBe('UnsupportedDtype');
      expect(await file.readBytes('a')).toEqual(new Uint8Array(bytes));
    },
  );

  it.each<[Dtype, string]>([
    ['F32', '0000c03f'],
    ['F64', '000000000000f83f'],
    ['I64', 'feffffffffffffff'],
    ['F16', '003e'],
  ])('of %s are read from an odd position', async (dtype, hex) => {
    const data = Buffer.from(`07${hex}`, 'hex');
    const size = data.length - 1;
    const file = parse(framed(`{"x":${entry('U8', [1], 0, 1)},"a":${entry(dtype, [1], 1, 1 + size)}}`, data));
    expect([...(await file.readFloat32('a'))]).toEqual([dtype === 'I64' ? -2 : 1.5]);
  });

  it('of a tensor larger than one conversion piece are complete', async () => {
    const data = Uint16Array.from({ length: (1 << 21) + 5 }, (_, i) => i % 60000);
    const file = parse(serializeSafetensors([['a', { dtype: 'U16', shape: [data.length], data }]]));
    const found = await file.readFloat32('a');
    expect(Buffer.from(found.buffer).equals(Buffer.from(Float32Array.from(data).buffer))).toBe(true);
  });

  it('of scalars and empty tensors have the right count', async () => {
    const file = parse(
      serializeSafetensors([
        ['scalar', { dtype: 'F32', shape: [], data: new Float32Array([4]) }],
        ['empty', { dtype: 'F16', shape: [3, 0], data: new Uint8Array(0) }],
      ]),
    );
    expect([...(await file.readFloat32('scalar'))]).toEqual([4]);
    expect((await file.readFloat32('empty')).length).toBe(0);
  });
});

describe('slices', () => {
  // Element [i, j, k] of a [2, 3, 4] tensor is 100 i + 10 j + k.
  const cube = Float32Array.from(
    { length: 24 },
    (_, n) => 100 * Math.floor(n / 12) + 10 * (Math.floor(n / 4) % 3) + (n % 4),
  );
  const file = parse(
    serializeSafetensors([
      ['a', { dtype: 'F32', shape: [2, 3, 4], data: cube }],
      ['empty', { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) }],
      ['f4', { dtype: 'F4', shape: [2, 3, 2], data: Uint8Array.of(1, 2, 3, 4, 5, 6) }],
      ['odd', { dtype: 'F4', shape: [2, 3], data: Uint8Array.of(1, 2, 3) }],
    ]),
  );

  it.each([
    [[], [...cube]],
    [[1], [...cube].slice(12)],
    [
      [1, 2],
      [120, 121, 122, 123],
    ],
    [[1, 2, 3], [123]],
    [[{ start: 0, stop: 1 }], [...cube].slice(0, 12)],
    [
      [{}, { start: 1, stop: 2 }],
      [10, 11, 12, 13, 110, 111, 112, 113],
    ],
    [
      [{}, { start: 1 }, { stop: 1 }],
      [10, 20, 110, 120],
    ],
    [
      [{}, {}, 2],
      [2, 12, 22, 102, 112, 122],
    ],
    [[{ start: 1, stop: 1 }], []],
    [[{}, {}, {}], [...cube]],
  ])('%j of leading dimensions give the right values', async (slices, wanted) => {
    expect([...(await file.readFloat32('a', slices))]).toEqual(wanted);
  });

  it.each([
    ['TooManySlices', 'a', [0, 0, 0, 0], '4 slices for 3 dimensions'],
    ['SliceOutOfRange', 'a', [2], 'index 2 is outside dimension 0 of size 2'],
    ['SliceOutOfRange', 'a', [-1], 'index -1'],
    ['SliceOutOfRange', 'a', [0, { start: 3, stop: 3 }], 'range 3:3 is outside dimension 1 of size 3'],
    ['SliceOutOfRange', 'a', [{ start: 1, stop: 0 }], 'range 1:0'],
    ['SliceOutOfRange', 'a', [{ stop: 3 }], 'range 0:3'],
    ['SliceOutOfRange', 'a', [0.5], 'index 0.5'],
    ['SliceOutOfRange', 'a', [Number.NaN], 'index NaN'],
    ['SliceOutOfRange', 'empty', [{}], 'dimension 0 of size 0'],
    ['MisalignedSlice', 'f4', [0, 0, 1], 'whole byte'],
    ['MisalignedSlice', 'odd', [1], 'whole byte'],
    ['MisalignedSlice', 'odd', [{}, { stop: 2 }], 'whole byte'],
  ])('fail with %s for %s %j', async (code, name, slices, phrase) => {
    const error = await rejectionOf(file.readBytes(name, slices));
    expect(error.code).toBe(code);
    expect(error.message).toContain(phrase);
  });

  it('of a sub-byte dtype are given where they fill bytes', async () => {
    expect([...(await file.readBytes('f4', [1, { start: 1, stop: 3 }]))]).toEqual([5, 6]);
  });
});

describe('files', () => {
  const write = (name: string, bytes: Uint8Array | string) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  it('name the missing tensor', async () => {
    const error = await rejectionOf(parse(single()).readBytes('b'));
    expect(error.code).toBe('TensorNotFound');
    expect(error.message).toBe('sample.safetensors: holds no tensor "b"');
  });

  it('are refused when missing, with the path', async () => {
    const path = join(folder, 'missing.safetensors');
    const error = await rejectionOf(openSafetensors(path));
    expect(error.code).toBe('FileNotFound');
    expect(error.message).toBe(`${path}: cannot be read: no such file or folder; check the path`);
  });

  it.runIf(process.platform !== 'win32')('that are devices are refused instead of waited for', async () => {
    expect((await rejectionOf(openSafetensors('/dev/null'))).code).toBe('IoError');
  });

  it('are refused after they were closed, and may be closed twice', async () => {
    const file = await openSafetensors(write('closed.safetensors', single()));
    await file.close();
    await file.close();
    expect((await rejectionOf(file.readFloat32('a'))).code).toBe('Closed');
    const memory = parse(single());
    await memory.close();
    expect((await rejectionOf(memory.readBytes('a'))).code).toBe('Closed');
  });

  it('that become shorter while open are noticed', async () => {
    const path = write('shrinks.safetensors', single());
    const file = await openSafetensors(path);
    truncateSync(path, 64);
    expect((await rejectionOf(file.readBytes('a'))).code).toBe('FileChanged');
    await file.close();
  });

  it('cut at any byte are refused, as bytes and on disk', async () => {
    const whole = serializeSafetensors(
      [
        ['b', { dtype: 'U8', shape: [3], data: new Uint8Array(3) }],
        ['a', { dtype: 'F32', shape: [2], data: new Float32Array(2) }],
      ],
      [['format', 'pt']],
    );
    for (let size = 0; size < whole.length; size++) {
      const cut = whole.subarray(0, size);
      const inMemory = await rejectionOf((async () => parseSafetensors(cut, 'x'))());
      const onDisk = await rejectionOf(openSafetensors(write('cut.safetensors', cut)));
      expect([size, onDisk.code]).toEqual([size, inMemory.code]);
    }
  });

  it('with a huge promised header are refused without allocating it', async () => {
    const path = write(
      'promise.safetensors',
      Buffer.concat([Buffer.from([0, 0xe1, 0xf5, 5, 0, 0, 0, 0]), Buffer.from('{')]),
    );
    const before = process.memoryUsage().arrayBuffers;
    expect((await rejectionOf(openSafetensors(path))).code).toBe('InvalidHeaderLength');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  });

  it.runIf(process.platform === 'linux')('that are refused do not stay open', async () => {
    const path = write('leak.safetensors', single(undefined, new Uint8Array(3)));
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 20; i++) {
      await rejectionOf(openSafetensors(path));
    }
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(before + 20);
  });

  it('over 4 GiB are read beyond the 32-bit range', async () => {
    const path = join(folder, 'large.safetensors');
    const hole = 2 ** 32 + 1001;
    const header = framed(`{"hole":${entry('U8', [hole], 0, hole)},"a":${entry('F32', [2], hole, hole + 8)}}`);
    const data = new Float32Array([1.5, -2]);
    const handle = openSync(path, 'w');
    writeSync(handle, header);
    ftruncateSync(handle, header.length + hole + 8);
    writeSync(handle, new Uint8Array(data.buffer), 0, 8, header.length + hole);
    closeSync(handle);
    const file = await openSafetensors(path);
    expect(await file.readFloat32('a')).toEqual(data);
    expect([...(await file.readBytes('hole', [{ start: 2 ** 32, stop: 2 ** 32 + 3 }]))]).toEqual([0, 0, 0]);
    await file.close();
  });

  it('with 100,000 names are read and written', async () => {
    const data = new Float32Array(1);
    const names = Array.from({ length: 100_000 }, (_, i) => `blocks.${i}.attn.qkv.weight`);
    const path = write(
      'names.safetensors',
      serializeSafetensors(names.map((name) => [name, { dtype: 'F32', shape: [1], data }])),
    );
    const file = await openSafetensors(path);
    expect(file.tensors.size).toBe(100_000);
    expect(new Set(file.tensors.keys())).toEqual(new Set(names));
    await file.close();
  });

  it('answer reads that run at the same time', async () => {
    const tensors = Array.from({ length: 50 }, (_, i) => {
      return [`t${i}`, { dtype: 'I32', shape: [1000], data: new Int32Array(1000).fill(i) }] as const;
    });
    const file = await openSafetensors(write('parallel.safetensors', serializeSafetensors(tensors)));
    const found = await Promise.all(tensors.map(([name]) => file.readFloat32(name)));
    expect(found.every((values, i) => values.every((value) => value === i))).toBe(true);
    await file.close();
  });
});
