/** A model whose tensors are spread over several safetensors files, behind the interface of a single file. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCodeOf } from '../base/io-error.js';
import { printable, quote } from '../base/text.js';
import { CheckpointError } from './errors.js';
import type { TensorInfo } from './header.js';
import { MAX_WARNINGS } from './limits.js';
import type { NumberArray } from './numbers.js';
import { type SafetensorsReader, tensorNotFound } from './reader.js';
import { readShardIndex, type ShardIndex } from './shard-index.js';
import type { DimensionSlice } from './slice.js';

/**
 * Opens the shards that an index names and checks that index and shards agree tensor by tensor.
 * @param openShard Opens one file.
 * @throws {CheckpointError} InvalidIndex, ShardMissing, ShardMismatch, or what is wrong with a shard, naming it.
 */
export async function openIndex(
  path: string,
  openShard: (path: string) => Promise<SafetensorsReader>,
): Promise<SafetensorsReader> {
  const index = await readShardIndex(path);
  const shards = new Map<string, SafetensorsReader>();
  try {
    for (const name of index.shards) {
      const file = join(dirname(path), name);
      await requireShard(file, name, path);
      const shard = await openShard(file);
      shards.set(name, shard);
      checkUnlisted(shard, name, index, path);
    }
    checkListed(shards, index, path);
    return new ShardedReader(path, shards);
  } catch (error) {
    await closeAll(shards.values());
    throw error;
  }
}

async function requireShard(file: string, name: string, indexPath: string): Promise<void> {
  try {
    await stat(file);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') {
      const problem = `the shard ${quote(name)} is missing; copy it into the folder of the index`;
      throw new CheckpointError('ShardMissing', indexPath, problem, { cause: error });
    }
    // Any other trouble is reported with its reason when the shard is opened.
  }
}

function checkUnlisted(shard: SafetensorsReader, name: string, index: ShardIndex, path: string): void {
  for (const tensor of shard.tensors.keys()) {
    const listed = index.weightMap.get(tensor);
    if (listed !== name) {
      const rule = listed === undefined ? 'does not list' : `lists in ${quote(listed)}`;
      const problem = `the shard ${quote(name)} holds tensor ${quote(tensor)}, which the index ${rule}; index and shards are of different models`;
      throw new CheckpointError('ShardMismatch', path, problem);
    }
  }
}

function checkListed(shards: ReadonlyMap<string, SafetensorsReader>, index: ShardIndex, path: string): void {
  for (const [tensor, name] of index.weightMap) {
    if (shards.get(name)?.tensors.has(tensor) !== true) {
      const problem = `tensor ${quote(tensor)} is not in the shard ${quote(name)} that the index names; index and shards are of different models`;
      throw new CheckpointError('ShardMismatch', path, problem);
    }
  }
}

async function closeAll(shards: Iterable<SafetensorsReader>): Promise<void> {
  for (const shard of shards) {
    await shard.close();
  }
}

class ShardedReader implements SafetensorsReader {
  readonly source: string;
  readonly files: readonly string[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly warnings: readonly string[];
  readonly #shards: readonly SafetensorsReader[];
  readonly #byTensor = new Map<string, SafetensorsReader>();

  constructor(source: string, shards: ReadonlyMap<string, SafetensorsReader>) {
    this.source = source;
    this.#shards = [...shards.values()];
    this.files = this.#shards.flatMap((shard) => shard.files);
    const tensors = new Map<string, TensorInfo>();
    for (const shard of this.#shards) {
      for (const [name, info] of shard.tensors) {
        tensors.set(name, info);
        this.#byTensor.set(name, shard);
      }
    }
    this.tensors = tensors;
    const merged = mergeMetadata(this.#shards);
    this.metadata = merged.metadata;
    this.warnings = [...this.#shards.flatMap((shard) => shard.warnings), ...merged.warnings].slice(0, MAX_WARNINGS);
  }

  async readBytes(name: string, slices?: readonly DimensionSlice[]): Promise<Uint8Array<ArrayBuffer>> {
    return this.#shardOf(name).readBytes(name, slices);
  }

  async readFloat32(name: string, slices?: readonly DimensionSlice[]): Promise<Float32Array<ArrayBuffer>> {
    return this.#shardOf(name).readFloat32(name, slices);
  }

  async readNumbers(name: string, slices?: readonly DimensionSlice[]): Promise<NumberArray> {
    return this.#shardOf(name).readNumbers(name, slices);
  }

  async close(): Promise<void> {
    await closeAll(this.#shards);
  }

  #shardOf(name: string): SafetensorsReader {
    const shard = this.#byTensor.get(name);
    if (shard === undefined) {
      throw tensorNotFound(this.source, name);
    }
    return shard;
  }
}

/** The metadata of all shards together; where two differ, the first shard's value is kept with a warning. */
function mergeMetadata(shards: readonly SafetensorsReader[]): { metadata: Map<string, string>; warnings: string[] } {
  const metadata = new Map<string, string>();
  const warnings: string[] = [];
  for (const shard of shards) {
    for (const [key, value] of shard.metadata) {
      const before = metadata.get(key);
      if (before === undefined) {
        metadata.set(key, value);
      } else if (before !== value) {
        warnings.push(
          `${printable(shard.source)}: its metadata ${quote(key)} differs from an earlier shard's; ignored`,
        );
      }
    }
  }
  return { metadata, warnings };
}
