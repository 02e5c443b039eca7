import { describe, expect, it } from 'vitest';
import { DTYPES } from '#wave/checkpoint/index.js';
import { entry, errorOf, framed, parse, single } from './helpers.js';

const F32 = entry('F32', [1], 0, 4);

function lengthField(value: bigint, rest = ''): Uint8Array {
  const bytes = Buffer.alloc(8 + rest.length);
  bytes.writeBigUInt64LE(value);
  bytes.write(rest, 8);
  return bytes;
}

describe('header length', () => {
  it.each([0, 1, 7])('refuses a file of %i bytes as too small', (size) => {
    expect(errorOf(() => parse(new Uint8Array(size))).code).toBe('HeaderTooSmall');
  });

  it.each([100_000_001n, 2n ** 53n, 2n ** 64n - 1n])(
    'refuses a header of %i bytes before looking at the file size',
    (length) => {
      expect(errorOf(() => parse(lengthField(length))).code).toBe('HeaderTooLarge');
    },
  );

  it.each([1n, 99_999_999n, 100_000_000n])('refuses a header of %i bytes in a shorter file as truncated', (length) => {
    const error = errorOf(() => parse(lengthField(length)));
    expect(error.code).toBe('InvalidHeaderLength');
    expect(error.message).toContain(`the header needs ${length + 8n} bytes, the file has 8; copy it again`);
  });

  it('refuses a header of no bytes because it is not JSON', () => {
    expect(errorOf(() => parse(lengthField(0n))).code).toBe('InvalidHeaderDeserialization');
  });
});

describe('header text', () => {
  it.each([
    ['a leading space', ` {"a":${F32}}`],
    ['a leading tab and newline', `\t\n{"a":${F32}}`],
    ['trailing space, tab, CR and LF', `{"a":${F32}} \t\r\n`],
    ['whitespace between all tokens', `{ "a" : ${F32.replaceAll(/([:,[\]{}])/g, ' $1\n')} }`],
    ['null metadata', `{"__metadata__":null,"a":${F32}}`],
    ['empty metadata', `{"__metadata__":{},"a":${F32}}`],
  ])('accepts %s', (_, text) => {
    const file = parse(framed(text, new Uint8Array(4)));
    expect([...file.tensors.keys()]).toEqual(['a']);
    expect(file.metadata.size).toBe(0);
    expect(file.warnings).toEqual([]);
  });

  it.each([
    ['trailing NUL', `{"a":${F32}}\0`],
    ['trailing text', `{"a":${F32}}x`],
    ['a byte order mark', `\ufeff{"a":${F32}}`],
    ['an array as root', `[${F32}]`],
    ['an entry as array', '{"a":["F32",[1],[0,4]]}'],
    ['a dtype as object', '{"a":{"dtype":{"F32":null},"shape":[1],"data_offsets":[0,4]}}'],
    ['a metadata number', `{"__metadata__":{"k":1},"a":${F32}}`],
    ['a metadata null value', `{"__metadata__":{"k":null},"a":${F32}}`],
    ['metadata as array', `{"__metadata__":[],"a":${F32}}`],
    ['metadata as string', `{"__metadata__":"x","a":${F32}}`],
    ['a lone high surrogate', `{"\\ud800":${F32}}`],
    ['a lone low surrogate', `{"\\udc00":${F32}}`],
    ['a reversed surrogate pair', `{"\\ude00\\ud83d":${F32}}`],
    ['an unknown escape', `{"\\x41":${F32}}`],
    ['a raw control character in a name', `{"\n":${F32}}`],
    ['a trailing comma', `{"a":${F32},}`],
    ['an unfinished object', `{"a":${F32}`],
    ['an unfinished name', '{"a'],
    ['a missing field', '{"a":{"dtype":"F32","shape":[1]}}'],
    ['an unknown dtype', `{"a":${entry('f32', [1], 0, 4)}}`],
    ['three offsets', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}'],
    ['one offset', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}'],
  ])('refuses %s', (_, text) => {
    expect(errorOf(() => parse(framed(text, new Uint8Array(4)))).code).toBe('InvalidHeaderDeserialization');
  });

  it.each(['1.0', '1e0', '1E0', '-0', '-1', '"1"', 'true', 'null', '01', '+1', '[1]', '.5'])(
    'refuses %s as a size and as an offset',
    (number) => {
      const inShape = `{"dtype":"F32","shape":[${number}],"data_offsets":[0,4]}`;
      const inOffsets = `{"dtype":"F32","shape":[1],"data_offsets":[${number},4]}`;
      expect(errorOf(() => parse(single(inShape))).code).toBe('InvalidHeaderDeserialization');
      expect(errorOf(() => parse(single(inOffsets))).code).toBe('InvalidHeaderDeserialization');
    },
  );

  it('accepts 2^53 - 1 and refuses 2^53 as a size', () => {
    const at = (size: string) => single(`{"dtype":"F32","shape":[${size},0],"data_offsets":[0,0]}`, new Uint8Array(0));
    expect(parse(at('9007199254740991')).tensors.get('a')?.shape).toEqual([Number.MAX_SAFE_INTEGER, 0]);
    expect(errorOf(() => parse(at('9007199254740992'))).code).toBe('LimitExceeded');
    expect(errorOf(() => parse(at('9'.repeat(1_000_000)))).code).toBe('LimitExceeded');
  });

  it.each([
    ['a tensor name', `{"a":${F32},"a":${F32}}`],
    ['a tensor name written with an escape', `{"a":${F32},"\\u0061":${F32}}`],
    ['an empty tensor that another one replaces', `{"a":${entry('F32', [0], 0, 0)},"a":${F32}}`],
    ['the metadata', `{"__metadata__":{},"__metadata__":{},"a":${F32}}`],
    ['a metadata key', `{"__metadata__":{"k":"1","k":"2"},"a":${F32}}`],
    ['a field of an entry', '{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}'],
    ['a key inside an extra field', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":{"k":1,"k":1}}}'],
  ])('refuses %s that occurs twice', (_, text) => {
    expect(errorOf(() => parse(framed(text, new Uint8Array(4)))).code).toBe('DuplicateKey');
  });

  it('refuses invalid UTF-8 and encoded surrogates', () => {
    for (const bytes of [[0xff], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xe2, 0x82]]) {
      const header = Buffer.concat([Buffer.from('{"'), Buffer.from(bytes), Buffer.from(`":${F32}}`)]);
      expect(errorOf(() => parse(framed(header, new Uint8Array(4)))).code).toBe('InvalidHeader');
    }
  });

  it('accepts an extra field with one warning that names it and counts the others', () => {
    const extra = (begin: number) =>
      `{"dtype":"U8","shape":[1],"strides":[1,null,{"x":1e3}],"data_offsets":[${begin},${begin + 1}]}`;
    const file = parse(framed(`{"a":${extra(0)},"b":${extra(1)}}`, new Uint8Array(2)));
    expect(file.warnings).toEqual([
      'sample.safetensors: the header has a field "strides" that the format does not know, in tensor "a" and 1 more; it is ignored',
    ]);
  });

  it('keeps at most 20 warnings of one file', () => {
    const fields = Array.from({ length: 50 }, (_, i) => `"x${i}":0`).join(',');
    const file = parse(single(`{"dtype":"F32","shape":[1],"data_offsets":[0,4],${fields}}`));
    expect(file.warnings).toHaveLength(20);
  });

  it('accepts an extra field nested 125 arrays deep and refuses 126 and a million', () => {
    const nested = (depth: number) =>
      single(`{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(parse(nested(125)).tensors.size).toBe(1);
    expect(errorOf(() => parse(nested(126))).code).toBe('LimitExceeded');
    expect(errorOf(() => parse(nested(1_000_000))).code).toBe('LimitExceeded');
  });

  it('refuses a number out of range in an extra field', () => {
    const text = '{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1e999}';
    expect(errorOf(() => parse(single(text))).code).toBe('LimitExceeded');
  });

  it('accepts 64 dimensions and refuses 65', () => {
    const ofRank = (rank: number) => single(entry('F32', Array<number>(rank).fill(1), 0, 4));
    expect(parse(ofRank(64)).tensors.get('a')?.shape).toHaveLength(64);
    expect(errorOf(() => parse(ofRank(65))).code).toBe('LimitExceeded');
  });

  it.each(['', '__proto__', 'constructor', 'toString', '\0', '10', '\u{1f600}', '"\\/\b\f\n\r\t'])(
    'keeps the tensor name %j',
    (name) => {
      const escaped = framed(`{${JSON.stringify(name)}:${F32}}`, new Uint8Array(4));
      expect([...parse(escaped).tensors.keys()]).toEqual([name]);
    },
  );

  it('keeps the metadata key __proto__ and values of every kind', () => {
    const file = parse(framed('{"__metadata__":{"__proto__":"x","":"","ü":"\\ud83d\\ude00\\n"}}'));
    expect([...file.metadata]).toEqual([
      ['__proto__', 'x'],
      ['', ''],
      ['ü', '\u{1f600}\n'],
    ]);
  });

  it('shows a hostile name escaped and cut, on one line', () => {
    const name = `\u202e\n\u001b[31m${'x'.repeat(1000)}`;
    const error = errorOf(() =>
      parse(framed(`{${JSON.stringify(name)}:${entry('F32', [1], 0, 3)}}`, new Uint8Array(3))),
    );
    expect(error.message).toContain('"\\u202e\\n\\u001b[31mxxx');
    expect(error.message.length).toBeLessThan(400);
  });
});

describe('layout', () => {
  const two = (a: string, b: string, bytes: number) => framed(`{"a":${a},"b":${b}}`, new Uint8Array(bytes));
  const u8 = (size: number, begin: number, end: number) => entry('U8', [size], begin, end);

  it.each([
    ['a first tensor that is not at 0', u8(1, 1, 2), u8(0, 2, 2), 2],
    ['a gap of one byte', u8(1, 0, 1), u8(1, 2, 3), 3],
    ['an overlap', u8(2, 0, 2), u8(2, 1, 3), 3],
    ['a shared region', u8(2, 0, 2), u8(2, 0, 2), 2],
    ['reversed offsets', u8(0, 0, 0), u8(2, 2, 0), 2],
    ['an empty tensor inside another one', u8(0, 1, 1), u8(2, 0, 2), 2],
    ['an empty tensor after the end', u8(0, 3, 3), u8(2, 0, 2), 2],
  ])('refuses %s', (_, a, b, bytes) => {
    expect(errorOf(() => parse(two(a, b, bytes))).code).toBe('InvalidOffset');
  });

  it.each([
    ['at the start', u8(0, 0, 0), u8(2, 0, 2), 2],
    ['at the end', u8(0, 2, 2), u8(2, 0, 2), 2],
  ])('accepts an empty tensor %s', (_, a, b, bytes) => {
    expect(parse(two(a, b, bytes)).tensors.size).toBe(2);
  });

  it('orders tensors by their data, not by their place or number in the header', () => {
    const file = framed(`{"10":${u8(1, 1, 2)},"2":${u8(1, 2, 3)},"x":${u8(1, 0, 1)}}`, new Uint8Array(3));
    expect([...parse(file).tensors.keys()]).toEqual(['x', '10', '2']);
  });

  it('accepts 10,000 empty tensors at one offset', () => {
    const entries = Array.from({ length: 10_000 }, (_, i) => `"${i}":${u8(0, 0, 0)}`).join(',');
    expect(parse(framed(`{${entries}}`)).tensors.size).toBe(10_000);
  });

  it('refuses products above 2^64 - 1 taken from left to right', () => {
    const shape = (...sizes: number[]) => single(entry('U8', sizes, 0, 0), new Uint8Array(0));
    expect(errorOf(() => parse(shape(2 ** 32, 2 ** 32, 0))).code).toBe('ValidationOverflow');
    expect(errorOf(() => parse(shape(2 ** 40, 2 ** 22))).code).toBe('ValidationOverflow');
    expect(errorOf(() => parse(shape(2 ** 40, 2 ** 20))).code).toBe('TensorInvalidInfo');
    expect(parse(shape(0, 2 ** 50, 2 ** 50)).tensors.size).toBe(1);
    expect(parse(shape(2 ** 40, 2 ** 20, 0)).tensors.size).toBe(1);
  });

  it('refuses sub-byte tensors that do not fill whole bytes', () => {
    expect(errorOf(() => parse(single(entry('F4', [3], 0, 2), new Uint8Array(2)))).code).toBe('MisalignedSlice');
    expect(errorOf(() => parse(single(entry('F6_E2M3', [2], 0, 2), new Uint8Array(2)))).code).toBe('MisalignedSlice');
    expect(parse(single(entry('F6_E2M3', [4], 0, 3), new Uint8Array(3))).tensors.get('a')?.elements).toBe(4);
  });

  it('reports a wrong size before a short file', () => {
    const error = errorOf(() => parse(single(entry('F32', [1], 0, 3), new Uint8Array(0))));
    expect(error.code).toBe('TensorInvalidInfo');
    expect(error.message).toContain('F32 [1] needs 4 bytes, its data_offsets give 3');
  });

  it('says by how much a file is truncated or too long', () => {
    const short = errorOf(() => parse(single(undefined, new Uint8Array(3))));
    expect(short.code).toBe('MetadataIncompleteBuffer');
    expect(short.message).toBe(
      'sample.safetensors: the file is truncated: the header promises 66 bytes, the file has 65; copy it again',
    );
    const long = errorOf(() => parse(single(undefined, new Uint8Array(6))));
    expect(long.code).toBe('MetadataIncompleteBuffer');
    expect(long.message).toContain('2 bytes after its last tensor');
    expect(errorOf(() => parse(framed('{}', new Uint8Array(1)))).code).toBe('MetadataIncompleteBuffer');
  });

  it.each(DTYPES)('knows the dtype %s', (dtype) => {
    const bits = { F4: 4, F6_E2M3: 6, F6_E3M2: 6, C64: 64 }[dtype as string] ?? Number(/[0-9]+/.exec(dtype)?.[0] ?? 8);
    const file = parse(single(entry(dtype, [2, 4], 0, bits), new Uint8Array(bits)));
    expect(file.tensors.get('a')).toEqual({
      name: 'a',
      dtype,
      shape: [2, 4],
      elements: 8,
      byteLength: bits,
      dataOffsets: [0, bits],
      file: 'sample.safetensors',
    });
  });

  it('has 22 dtypes', () => {
    expect(new Set(DTYPES).size).toBe(22);
  });
});

describe('files of other formats', () => {
  it.each([
    ['GitLfsPointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n', 'git lfs pull'],
    ['PickleFile', Buffer.from('504b03040000080800000000', 'hex'), 'zip archive'],
    ['PickleFile', Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'), 'pickle'],
    ['PickleFile', Buffer.from('80049500000000000000007d94', 'hex'), 'pickle'],
    ['HtmlPage', '\n<!DOCTYPE html>\n<html><body>Sign in</body></html>', 'HTML page'],
    ['HtmlPage', '<html lang="en"><title>404</title>', 'HTML page'],
    ['OtherFormat', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', 'XML'],
    ['OtherFormat', '{"error": "Repository not found"}', 'JSON'],
    ['OtherFormat', Buffer.from('1f8b08000000000000030000', 'hex'), 'gzip'],
    ['OtherFormat', 'GGUF\u0003\0\0\0\0\0\0\0', 'GGUF'],
    ['OtherFormat', Buffer.from('894844460d0a1a0a0000', 'hex'), 'HDF5'],
    ['OtherFormat', Buffer.from('934e554d5059010076007b27', 'hex'), '.npy'],
  ])('reports %s: %j', (code, content, phrase) => {
    const error = errorOf(() => parse(Buffer.from(content)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(phrase);
  });
});
