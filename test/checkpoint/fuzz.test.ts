import { describe, expect, it } from 'vitest';
import {
  CheckpointError,
  parseSafetensors,
  type SafetensorsReader,
  serializeSafetensors,
} from '#wave/checkpoint/index.js';
import { framed } from './helpers.js';

/** Mutated files per run. */
const FILES = 24_000;
const SEED = 0x5afe;

/** A small generator of random numbers (mulberry32), so that every run mutates the same files. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Values that have broken parsers before. */
const ODD_TEXT = [
  '-0',
  '1.0',
  '1e0',
  '1e999',
  '-1',
  '01',
  '9007199254740991',
  '9007199254740992',
  '18446744073709551615',
  '18446744073709551616',
  'null',
  'true',
  '""',
  '"F32"',
  '"\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  '{}',
  '[]',
  '[[]]',
  '{"a":1,"a":2}',
  '\ufeff',
  ' ',
  '\u0000',
  '"',
  '[',
  '{',
  '\\',
  ',',
  ':',
  '[0,4]',
  '"__metadata__"',
  '100000000000000000000000000',
];

function pick<T>(random: (below: number) => number, items: readonly T[]): T {
  return items[random(items.length)];
}

/** A valid header with its data length, as a tree to mutate. */
function validTree(random: (below: number) => number): { tree: { [key: string]: Json }; bytes: number } {
  const tree: { [key: string]: Json } = random(2) === 0 ? { __metadata__: { format: 'pt', k: 'v' } } : {};
  let position = 0;
  const tensors = 1 + random(4);
  for (let i = 0; i < tensors; i++) {
    const shape = Array.from({ length: random(4) }, () => random(4));
    const [dtype, size] = pick(random, [
      ['U8', 1],
      ['BF16', 2],
      ['F32', 4],
      ['I64', 8],
    ] as const);
    const bytes = shape.reduce((product, dim) => product * dim, size);
    tree[`blocks.${i}.weight`] = { dtype, shape, data_offsets: [position, position + bytes] };
    position += bytes;
  }
  return { tree, bytes: position };
}

/** Replaces, removes, repeats or renames one node of the tree. */
function mutateTree(random: (below: number) => number, node: { [key: string]: Json }): void {
  const key = pick(random, Object.keys(node));
  const child = node[key];
  if (typeof child === 'object' && child !== null && random(4) !== 0) {
    if (Array.isArray(child)) {
      const at = random(child.length + 1);
      child.splice(at, random(2), pick<Json>(random, [0, 1, 4, -1, 2 ** 31, 2 ** 53, 'x', null, [], {}]));
    } else if (Object.keys(child).length > 0) {
      mutateTree(random, child);
    }
    return;
  }
  switch (random(4)) {
    case 0:
      delete node[key];
      break;
    case 1:
      node[key] = pick<Json>(random, [null, 0, 'F64', 'f32', [], {}, [1, 2], true, 1e300]);
      break;
    case 2:
      node[pick(random, ['__metadata__', 'dtype', 'x', '', 'shape'])] = child;
      break;
    default:
      node[key] = JSON.stringify(child);
  }
}

function mutateText(random: (below: number) => number, text: string): string {
  const at = random(text.length + 1);
  const length = pick(random, [0, 0, 1, 1, 2, 8]);
  const middle = random(3) === 0 ? text.slice(at, at + random(60)).repeat(2) : pick(random, ODD_TEXT);
  return text.slice(0, at) + middle + text.slice(at + length);
}

function mutateBytes(random: (below: number) => number, file: Uint8Array): Uint8Array {
  const bytes = Buffer.from(file);
  const at = random(bytes.length);
  switch (random(5)) {
    case 0:
      bytes[at] ^= 1 << random(8);
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes, bytes.subarray(at)]);
    case 3:
      bytes[random(8)] = random(256);
      return bytes;
    default:
      bytes.fill(random(256), at, Math.min(bytes.length, at + random(16)));
      return bytes;
  }
}

function mutant(random: (below: number) => number): Uint8Array {
  const { tree, bytes } = validTree(random);
  const kind = random(4);
  if (kind === 0 || kind === 1) {
    mutateTree(random, tree);
  }
  let text = JSON.stringify(tree);
  if (kind === 1 || kind === 2) {
    text = mutateText(random, text);
  }
  const file = framed(text, new Uint8Array(bytes));
  return kind === 3 ? mutateBytes(random, file) : file;
}

/** Reads everything of a file that loaded and writes it again. */
async function useAll(file: SafetensorsReader): Promise<void> {
  const tensors = [];
  for (const { name, dtype, shape, byteLength } of file.tensors.values()) {
    const data = await file.readBytes(name);
    expect(data.length).toBe(byteLength);
    tensors.push([name, { dtype, shape, data }] as const);
  }
  const again = parseSafetensors(serializeSafetensors(tensors, file.metadata), 'again');
  expect(again.tensors.size).toBe(file.tensors.size);
}

describe('mutated files', () => {
  it(`load and can be used, or fail with a CheckpointError (${FILES} files)`, async () => {
    const random = generator(SEED);
    const codes = new Map<string, number>();
    for (let i = 0; i < FILES; i++) {
      const bytes = mutant(random);
      let outcome = 'loaded';
      try {
        await useAll(parseSafetensors(bytes, `mutant ${i}`));
      } catch (error) {
        if (!(error instanceof CheckpointError)) {
          throw new Error(`mutant ${i}: ${Buffer.from(bytes).toString('base64')}`, { cause: error });
        }
        outcome = error.code;
      }
      codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
    }
    // The mutations must reach every check; otherwise this test would say little.
    const reached = [
      'loaded',
      'HeaderTooSmall',
      'HeaderTooLarge',
      'InvalidHeaderLength',
      'InvalidHeader',
      'InvalidHeaderDeserialization',
      'InvalidOffset',
      'TensorInvalidInfo',
      'MetadataIncompleteBuffer',
      'DuplicateKey',
      'LimitExceeded',
    ];
    expect(reached.filter((code) => (codes.get(code) ?? 0) < 10)).toEqual([]);
  });
});
