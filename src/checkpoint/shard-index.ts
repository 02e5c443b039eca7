/** Reads and checks `NAME.safetensors.index.json`, which says in which shard each tensor of a large model lies. */
import { isUtf8 } from 'node:buffer';
import { quote } from '../base/text.js';
import { openFileSource } from './byte-source.js';
import { CheckpointError } from './errors.js';
import { JsonCursor, JsonProblem } from './json-cursor.js';
import { MAX_INDEX_BYTES, MAX_SHARDS } from './limits.js';

export interface ShardIndex {
  /** Tensor name to the name of its shard, relative to the index. */
  readonly weightMap: ReadonlyMap<string, string>;
  /** Names of the shards, sorted. */
  readonly shards: readonly string[];
}

/**
 * Reads an index.
 * @throws {CheckpointError} InvalidIndex, DuplicateKey, LimitExceeded, or the codes of a failed read.
 */
export async function readShardIndex(path: string): Promise<ShardIndex> {
  const source = await openFileSource(path);
  try {
    if (source.size > MAX_INDEX_BYTES) {
      const problem = `the index has ${source.size} bytes, the most is ${MAX_INDEX_BYTES}; check that it is the right file`;
      throw new CheckpointError('LimitExceeded', path, problem);
    }
    const bytes = Buffer.alloc(source.size);
    await source.readInto(bytes, 0);
    if (!isUtf8(bytes)) {
      throw new CheckpointError('InvalidIndex', path, 'the index is not UTF-8; copy it again');
    }
    return parseShardIndex(bytes.toString('utf8'), path);
  } finally {
    await source.close();
  }
}

/** Parses the text of an index. @throws {CheckpointError} as {@link readShardIndex}. */
export function parseShardIndex(text: string, path: string): ShardIndex {
  const cursor = new JsonCursor(text);
  const weightMap = new Map<string, string>();
  const shards = new Set<string>();
  let hasMap = false;
  try {
    cursor.object('the index', (key) => {
      if (key !== 'weight_map') {
        cursor.skip('an index field');
        return;
      }
      hasMap = true;
      cursor.object('weight_map', (name) => {
        const shard = cursor.string('a shard name');
        checkShardName(shard, path);
        shards.add(shard);
        weightMap.set(name, shard);
      });
    });
    cursor.end();
  } catch (error) {
    if (error instanceof JsonProblem) {
      const code = ({ syntax: 'InvalidIndex', duplicate: 'DuplicateKey', limit: 'LimitExceeded' } as const)[error.code];
      throw new CheckpointError(code, path, `the index is not valid: ${error.message}`);
    }
    throw error;
  }
  if (!hasMap) {
    throw new CheckpointError('InvalidIndex', path, 'the index has no weight_map; it is not an index of shards');
  }
  if (shards.size > MAX_SHARDS) {
    throw new CheckpointError(
      'LimitExceeded',
      path,
      `the index names ${shards.size} shards, the most is ${MAX_SHARDS}`,
    );
  }
  return { weightMap, shards: [...shards].sort() };
}

/** A shard lies beside its index or in a folder under it: no absolute path, no way up, no address, no drive letter. */
function checkShardName(shard: string, path: string): void {
  const leavesFolder = shard.startsWith('/') || shard.split('/').includes('..') || /[\\:\0]/.test(shard);
  if (leavesFolder || !shard.endsWith('.safetensors')) {
    const problem = `the index names the shard ${quote(shard)}; a shard must be a .safetensors file in the folder of its index`;
    throw new CheckpointError('InvalidIndex', path, problem);
  }
}
