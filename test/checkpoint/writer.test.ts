import { describe, expect, it } from 'vitest';
import {
  DTYPES,
  type Dtype,
  dtypeBits,
  type MemoryTensor,
  parseSafetensors,
  serializeSafetensors,
} from '#wave/checkpoint/index.js';
import { errorOf } from './helpers.js';

/** Length field, header text with its padding, data. */
function anatomy(file: Uint8Array): { length: number; text: string; data: number[] } {
  const length = Number(Buffer.from(file).readBigUInt64LE(0));
  return { length, text: Buffer.from(file.subarray(8, 8 + length)).toString(), data: [...file.subarray(8 + length)] };
}

function tensor(dtype: Dtype, shape: readonly number[]): MemoryTensor {
  const elements = shape.reduce((product, size) => product * size, 1);
  return { dtype, shape, data: new Uint8Array((elements * dtypeBits(dtype)) / 8) };
}

describe('golden bytes', () => {
  it.each<
    [
      string,
      readonly (readonly [string, MemoryTensor])[],
      readonly (readonly [string, string])[],
      number,
      string,
      number,
    ]
  >([
    ['no tensors', [], [], 8, '{}', 6],
    ['metadata only', [], [['framework', 'pt']], 40, '{"__metadata__":{"framework":"pt"}}', 5],
    [
      'no padding',
      [['attn.0', tensor('F32', [1, 2, 3])]],
      [],
      64,
      '{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}',
      0,
    ],
    [
      'forced alignment',
      [['attn0', tensor('F32', [1, 1, 2, 3])]],
      [],
      72,
      '{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}',
      7,
    ],
    [
      'F4',
      [['attn.0', tensor('F4', [1, 2])]],
      [],
      64,
      '{"attn.0":{"dtype":"F4","shape":[1,2],"data_offsets":[0,1]}}',
      4,
    ],
    [
      'I32',
      [['test', tensor('I32', [2, 2])]],
      [],
      64,
      '{"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}}',
      4,
    ],
    [
      'order by dtype',
      [
        ['test2', tensor('F16', [2, 2])],
        ['test1', tensor('I32', [2, 2])],
      ],
      [],
      128,
      '{"test1":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]},"test2":{"dtype":"F16","shape":[2,2],"data_offsets":[16,24]}}',
      6,
    ],
    [
      'metadata and a tensor',
      [['test1', tensor('I32', [2, 2])]],
      [['framework', 'pt']],
      96,
      '{"__metadata__":{"framework":"pt"},"test1":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}}',
      1,
    ],
  ])('%s', (_, tensors, metadata, length, text, spaces) => {
    const found = anatomy(serializeSafetensors(tensors, metadata));
    expect(found.length).toBe(length);
    expect(found.text).toBe(text + ' '.repeat(spaces));
  });

  it('leaves empty metadata out', () => {
    expect(serializeSafetensors([], new Map())).toEqual(serializeSafetensors([]));
    expect(anatomy(serializeSafetensors([], new Map())).text).not.toContain('metadata');
  });

  it('sorts metadata keys by UTF-8 bytes, whatever their order was', () => {
    const pairs: [string, string][] = [
      ['\u{1f600}', '1'],
      ['\uff5e', '2'],
      ['b', '3'],
      ['10', '4'],
      ['2', '5'],
    ];
    const wanted = '{"__metadata__":{"10":"4","2":"5","b":"3","\uff5e":"2","\u{1f600}":"1"}}';
    expect(anatomy(serializeSafetensors([], pairs)).text.trimEnd()).toBe(wanted);
    expect(anatomy(serializeSafetensors([], pairs.reverse())).text.trimEnd()).toBe(wanted);
  });

  it('puts little-endian numbers where the offsets say', () => {
    const file = serializeSafetensors([
      ['b', { dtype: 'U8', shape: [3], data: new Uint8Array([1, 2, 3]) }],
      ['a', { dtype: 'U32', shape: [1], data: new Uint32Array([0x01020304]) }],
    ]);
    expect(anatomy(file).data).toEqual([4, 3, 2, 1, 1, 2, 3]);
  });
});

describe('order of tensors', () => {
  it('goes from the highest dtype rank to the lowest', () => {
    const file = serializeSafetensors(DTYPES.map((dtype) => [dtype, tensor(dtype, [8])]));
    expect([...parseSafetensors(file, 'x').tensors.keys()]).toEqual([...DTYPES].reverse());
  });

  it('goes by UTF-8 bytes within a dtype, where UTF-16 units differ', () => {
    const names = ['b', '\u{1f600}', 'a', '\uff5e', '\ue000', 'ab', ''];
    const file = serializeSafetensors(names.map((name) => [name, tensor('U8', [1])]));
    const found = [...parseSafetensors(file, 'x').tensors.keys()];
    expect(found).toEqual(['', 'a', 'ab', 'b', '\ue000', '\uff5e', '\u{1f600}']);
  });

  it('aligns every tensor to its element size in the file', () => {
    const file = serializeSafetensors([...DTYPES].map((dtype, i) => [`t${i}`, tensor(dtype, [8, 1 + (i % 3)])]));
    const { length } = anatomy(file);
    for (const info of parseSafetensors(file, 'x').tensors.values()) {
      expect((8 + length + info.dataOffsets[0]) % Math.max(1, dtypeBits(info.dtype) / 8)).toBe(0);
    }
  });
});

describe('data', () => {
  it.each<[Dtype, MemoryTensor['data']]>([
    ['BOOL', new Uint8Array([0, 1])],
    ['I8', new Int8Array([-1, 2])],
    ['U8', new Uint8Array([1, 255])],
    ['I16', new Int16Array([-300, 2])],
    ['U16', new Uint16Array([65535, 2])],
    ['I32', new Int32Array([-70000, 2])],
    ['U32', new Uint32Array([2 ** 32 - 1, 2])],
    ['F32', new Float32Array([0.5, -0])],
    ['F64', new Float64Array([Math.PI, Number.MIN_VALUE])],
    ['I64', new BigInt64Array([-(2n ** 63n), 2n])],
    ['U64', new BigUint64Array([2n ** 64n - 1n, 2n])],
  ])('of %s comes back in its typed array', async (dtype, data) => {
    const file = parseSafetensors(serializeSafetensors([['a', { dtype, shape: [2], data }]]), 'x');
    expect(await file.readNumbers('a')).toEqual(data);
  });

  it('may be a view into a larger buffer', async () => {
    const data = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
    const file = parseSafetensors(serializeSafetensors([['a', { dtype: 'F32', shape: [2], data }]]), 'x');
    expect(await file.readFloat32('a')).toEqual(new Float32Array([1, 2]));
  });

  it('may come from a function, called once', () => {
    let calls = 0;
    const data = () => {
      calls++;
      return new Uint8Array([7]);
    };
    expect(serializeSafetensors([['a', { dtype: 'U8', shape: [1], data }]]).at(-1)).toBe(7);
    expect(calls).toBe(1);
  });

  it('of the wrong type or length is refused', () => {
    const write = (dtype: Dtype, shape: number[], data: MemoryTensor['data']) =>
      errorOf(() => serializeSafetensors([['a', { dtype, shape, data }]])).code;
    expect(write('F32', [1], new Int32Array(1))).toBe('InvalidTensor');
    expect(write('F4', [8], new Float32Array(1))).toBe('InvalidTensor');
    expect(write('U8', [4], new Float32Array(1))).toBe('InvalidTensor');
    expect(write('F32', [2], new Float32Array(1))).toBe('TensorInvalidInfo');
    expect(write('F32', [1], new Uint8Array(5))).toBe('TensorInvalidInfo');
    expect(write('F32', [], new Float32Array(0))).toBe('TensorInvalidInfo');
  });
});

describe('what the reader would refuse', () => {
  it('is not written: names', () => {
    const write = (...names: string[]) =>
      errorOf(() => serializeSafetensors(names.map((name) => [name, tensor('U8', [1])])));
    expect(write('__metadata__').code).toBe('InvalidTensor');
    expect(write('\ud800').code).toBe('InvalidTensor');
    expect(write('a', 'a').code).toBe('DuplicateKey');
  });

  it('is not written: metadata', () => {
    const write = (...pairs: [string, string][]) => errorOf(() => serializeSafetensors([], pairs)).code;
    expect(write(['a', '1'], ['a', '2'])).toBe('DuplicateKey');
    expect(write(['\udc00', '1'])).toBe('InvalidTensor');
    expect(write(['a', 'x\ud83d'])).toBe('InvalidTensor');
  });

  it.each([[-1], [1.5], [Number.NaN], [2 ** 53], [-0]])('is not written: the size %d', (size) => {
    const data = new Uint8Array(0);
    expect(errorOf(() => serializeSafetensors([['a', { dtype: 'U8', shape: [size], data }]])).code).toBe(
      'InvalidTensor',
    );
  });

  it('is not written: overflow, half bytes, too many dimensions', () => {
    const write = (dtype: Dtype, shape: number[]) =>
      errorOf(() => serializeSafetensors([['a', { dtype, shape, data: new Uint8Array(0) }]])).code;
    expect(write('U8', [2 ** 32, 2 ** 32])).toBe('ValidationOverflow');
    expect(write('F4', [3])).toBe('MisalignedSlice');
    expect(write('U8', Array<number>(65).fill(1))).toBe('LimitExceeded');
  });

  it('is not written: a header above 100,000,000 bytes', () => {
    const error = errorOf(() => serializeSafetensors([], [['a', 'x'.repeat(100_000_000)]]));
    expect(error.code).toBe('HeaderTooLarge');
  });
});
