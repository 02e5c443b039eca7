import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSafetensors, serializeSafetensors } from '#wave/checkpoint/index.js';
import { rejectionOf, temporaryFolder } from './helpers.js';

const root = temporaryFolder();
let count = 0;

/** A new folder with the given files. */
function folder(files: Readonly<Record<string, Uint8Array | string>>): string {
  const path = join(root, `${count++}`);
  mkdirSync(join(path, 'sub'), { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(path, name), content);
  }
  return path;
}

function shard(
  names: readonly string[],
  metadata: readonly (readonly [string, string])[] = [['format', 'pt']],
): Uint8Array {
  return serializeSafetensors(
    names.map((name) => [name, { dtype: 'F32', shape: [1], data: new Float32Array([name.length]) }]),
    metadata,
  );
}

function index(weightMap: Readonly<Record<string, string>>): string {
  return JSON.stringify({ metadata: { total_size: 8, other: [1.5, null] }, weight_map: weightMap });
}

const FIRST = 'model-00001-of-00002.safetensors';
const SECOND = 'model-00002-of-00002.safetensors';
const INDEX = 'model.safetensors.index.json';
const GOOD = { [FIRST]: shard(['a']), [SECOND]: shard(['bb']), [INDEX]: index({ a: FIRST, bb: SECOND }) };

describe('a folder', () => {
  it('gives its model.safetensors, before an index', async () => {
    const path = folder({ ...GOOD, 'model.safetensors': shard(['x']) });
    const file = await openSafetensors(path);
    expect(file.source).toBe(join(path, 'model.safetensors'));
    expect([...file.tensors.keys()]).toEqual(['x']);
    await file.close();
  });

  it('gives the model of its index', async () => {
    const path = folder(GOOD);
    const file = await openSafetensors(path);
    expect(file.source).toBe(join(path, INDEX));
    expect(file.files).toEqual([join(path, FIRST), join(path, SECOND)]);
    await file.close();
  });

  it.each([
    [{}, 'check the path'],
    [
      { 'other.safetensors': shard(['a']), 'b.safetensors': shard(['a']) },
      'name one of its files: b.safetensors, other.safetensors',
    ],
    [
      { 'pytorch_model.bin': 'x' },
      'only pytorch_model.bin, a PyTorch pickle that is not read; convert it where PyTorch is',
    ],
    [
      { 'pytorch_model.bin': 'x' },
      'save_file(torch.load(FILE, weights_only=True), "model.safetensors"), with ["model"] or',
    ],
    [
      { 'model.onnx': 'x' },
      'only model.onnx, an ONNX model, whose weights cannot be taken over; get the safetensors version',
    ],
    [{ 'model.onnx': 'x' }, 'can be an ancestor of distill and fit, or be measured by eval'],
  ])('without a model is refused with what it holds: %#', async (files, phrase) => {
    const error = await rejectionOf(openSafetensors(folder(files)));
    expect(error.code).toBe('NoModelInFolder');
    expect(error.message).toContain('holds neither model.safetensors nor model.safetensors.index.json');
    expect(error.message).toContain(phrase);
  });
});

describe('a sharded model', () => {
  it('reads every tensor from its shard', async () => {
    const file = await openSafetensors(join(folder(GOOD), INDEX));
    expect([...file.tensors.keys()]).toEqual(['a', 'bb']);
    expect([...(await file.readFloat32('bb'))]).toEqual([2]);
    expect(await file.readNumbers('a')).toEqual(new Float32Array([1]));
    expect((await file.readBytes('a', [0])).length).toBe(4);
    expect([...file.metadata]).toEqual([['format', 'pt']]);
    expect((await rejectionOf(file.readBytes('c'))).message).toContain('index.json: holds no tensor "c"');
    await file.close();
    expect((await rejectionOf(file.readBytes('a'))).code).toBe('Closed');
  });

  it('may have its shards in a folder under the index', async () => {
    const path = folder({ 'sub/part.safetensors': shard(['a']), [INDEX]: index({ a: 'sub/part.safetensors' }) });
    const file = await openSafetensors(path);
    expect(file.tensors.size).toBe(1);
    await file.close();
  });

  it('keeps the first value of metadata that differs and warns', async () => {
    const other = shard(
      ['bb'],
      [
        ['format', 'np'],
        ['x', '1'],
      ],
    );
    const file = await openSafetensors(folder({ ...GOOD, [SECOND]: other }));
    expect(Object.fromEntries(file.metadata)).toEqual({ format: 'pt', x: '1' });
    expect(file.warnings).toHaveLength(1);
    expect(file.warnings[0]).toContain(`${SECOND}: its metadata "format" differs`);
    await file.close();
  });

  it.each([
    '../model.safetensors',
    'sub/../../model.safetensors',
    '/etc/model.safetensors',
    'https://example.org/model.safetensors',
    'C:model.safetensors',
    'sub\\..\\model.safetensors',
    'model.safetensors\0.safetensors',
    '/dev/zero',
    'model.bin',
  ])('refuses the shard name %j', async (name) => {
    const error = await rejectionOf(openSafetensors(folder({ [INDEX]: index({ a: name }) })));
    expect(error.code).toBe('InvalidIndex');
    expect(error.message).toContain('a shard must be a .safetensors file in the folder of its index');
  });

  it('names the missing shard', async () => {
    const path = folder(GOOD);
    rmSync(join(path, SECOND));
    const error = await rejectionOf(openSafetensors(path));
    expect(error.code).toBe('ShardMissing');
    expect(error.message).toContain(`"${SECOND}" is missing`);
  });

  it.runIf(process.platform === 'linux')('does not stay open when a shard is refused', async () => {
    const path = folder({ ...GOOD, [SECOND]: 'damaged' });
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 20; i++) {
      await rejectionOf(openSafetensors(path));
    }
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(before + 20);
  });

  it('names the truncated shard', async () => {
    const error = await rejectionOf(openSafetensors(folder({ ...GOOD, [SECOND]: shard(['bb']).subarray(0, -1) })));
    expect(error.code).toBe('MetadataIncompleteBuffer');
    expect(error.message).toContain(`${SECOND}: the file is truncated`);
  });

  it.each([
    ['a tensor that its shard lacks', { ...GOOD, [SECOND]: shard([]) }, 'tensor "bb" is not in the shard'],
    [
      'a tensor that it does not list',
      { ...GOOD, [SECOND]: shard(['bb', 'c']) },
      'holds tensor "c", which the index does not list',
    ],
    ['a tensor in the wrong shard', { ...GOOD, [SECOND]: shard(['a', 'bb']) }, `which the index lists in "${FIRST}"`],
  ])('refuses an index with %s', async (_, files, phrase) => {
    const error = await rejectionOf(openSafetensors(folder(files)));
    expect(error.code).toBe('ShardMismatch');
    expect(error.message).toContain(phrase);
  });

  it.each([
    ['InvalidIndex', '{}'],
    ['InvalidIndex', '[]'],
    ['InvalidIndex', ''],
    ['InvalidIndex', '{"weight_map":[]}'],
    ['InvalidIndex', '{"weight_map":{"a":1}}'],
    ['InvalidIndex', Buffer.from([0x7b, 0xff, 0x7d])],
    ['DuplicateKey', '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}'],
    ['DuplicateKey', '{"weight_map":{},"weight_map":{}}'],
    ['LimitExceeded', index(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`t${i}`, `${i}.safetensors`])))],
  ])('refuses an index with %s: %#', async (code, text) => {
    expect((await rejectionOf(openSafetensors(folder({ [INDEX]: text })))).code).toBe(code);
  });

  it('keeps tensors named like properties of objects', async () => {
    const map = `{"weight_map":{"__proto__":"${FIRST}","constructor":"${FIRST}"}}`;
    const file = await openSafetensors(folder({ [FIRST]: shard(['__proto__', 'constructor']), [INDEX]: map }));
    expect([...file.tensors.keys()]).toEqual(['__proto__', 'constructor']);
    await file.close();
  });
});
