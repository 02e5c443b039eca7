/** The writer's plan: order of the tensors, their offsets and the header bytes, checked before anything is written. */
import { compareUtf8, isWellFormed, quote } from '../base/text.js';
import { type Dtype, dtypeRank, isDtype } from './dtypes.js';
import { CheckpointError } from './errors.js';
import { tensorBytes } from './header.js';
import { METADATA_KEY } from './header-json.js';
import { LENGTH_BYTES, MAX_HEADER_BYTES, MAX_RANK } from './limits.js';

/** The data area starts at a multiple of this, so that tensors sorted by element size are aligned to it. */
const ALIGNMENT_BYTES = 8;
const SPACE = 0x20;

interface Described {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

export interface PlannedTensor<T extends Described> {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly input: T;
}

export interface Layout<T extends Described> {
  /** Length field, JSON and padding. */
  readonly header: Uint8Array;
  /** In the order of the file. */
  readonly tensors: readonly PlannedTensor<T>[];
  /** Size of the whole file. */
  readonly fileBytes: number;
}

/**
 * Plans a file: tensors by dtype rank from high to low, then by name in the order of UTF-8 bytes; metadata first and
 * sorted, left out when empty; JSON without spaces, padded with spaces to a multiple of 8.
 * @throws {CheckpointError} for everything that the reader would refuse: InvalidTensor, DuplicateKey, LimitExceeded,
 * ValidationOverflow, MisalignedSlice, HeaderTooLarge.
 */
export function planLayout<T extends Described>(
  tensors: Iterable<readonly [string, T]>,
  metadata: Iterable<readonly [string, string]>,
  source: string,
): Layout<T> {
  const planned: PlannedTensor<T>[] = [];
  const names = new Set<string>();
  for (const [name, input] of tensors) {
    checkName(name, names, source);
    names.add(name);
    checkShape(name, input, source);
    const bytes = tensorBytes({ name, dtype: input.dtype, shape: input.shape }, source);
    planned.push({ name, dtype: input.dtype, shape: [...input.shape], byteLength: Number(bytes), input });
  }
  planned.sort((a, b) => dtypeRank(b.dtype) - dtypeRank(a.dtype) || compareUtf8(a.name, b.name));
  const parts: string[] = [];
  const entries = metadataEntries(metadata, source);
  if (entries.length > 0) {
    parts.push(`${JSON.stringify(METADATA_KEY)}:{${entries.join(',')}}`);
  }
  let end = 0;
  for (const { name, dtype, shape, byteLength } of planned) {
    const begin = end;
    end += byteLength;
    parts.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`);
  }
  if (!Number.isSafeInteger(end)) {
    throw new CheckpointError('LimitExceeded', source, 'the tensors together are larger than 2^53 - 1 bytes');
  }
  const header = encodeHeader(parts, source);
  return { header, tensors: planned, fileBytes: header.byteLength + end };
}

function checkName(name: string, names: ReadonlySet<string>, source: string): void {
  if (name === METADATA_KEY) {
    throw new CheckpointError(
      'InvalidTensor',
      source,
      `no tensor can be named ${METADATA_KEY}; the format needs the name`,
    );
  }
  if (!isWellFormed(name)) {
    throw new CheckpointError('InvalidTensor', source, `the tensor name ${quote(name)} holds half of a surrogate pair`);
  }
  if (names.has(name)) {
    throw new CheckpointError('DuplicateKey', source, `the tensor ${quote(name)} is given twice`);
  }
}

function checkShape(name: string, input: Described, source: string): void {
  if (!isDtype(input.dtype)) {
    const problem = `tensor ${quote(name)}: the dtype ${quote(String(input.dtype))} does not exist in this format`;
    throw new CheckpointError('InvalidTensor', source, problem);
  }
  if (input.shape.length > MAX_RANK) {
    const problem = `tensor ${quote(name)} has ${input.shape.length} dimensions, the most is ${MAX_RANK}`;
    throw new CheckpointError('LimitExceeded', source, problem);
  }
  const wrong = input.shape.find((size) => !Number.isSafeInteger(size) || size < 0 || Object.is(size, -0));
  if (wrong !== undefined) {
    const problem = `tensor ${quote(name)}: a size must be a whole number from 0 to 2^53 - 1, found ${wrong} in [${input.shape}]`;
    throw new CheckpointError('InvalidTensor', source, problem);
  }
}

function metadataEntries(metadata: Iterable<readonly [string, string]>, source: string): string[] {
  const pairs = [...metadata].sort(([a], [b]) => compareUtf8(a, b));
  return pairs.map(([key, value], index) => {
    if (typeof value !== 'string') {
      throw new CheckpointError(
        'InvalidTensor',
        source,
        `metadata ${quote(key)} must be a string, found ${typeof value}`,
      );
    }
    if (!isWellFormed(key) || !isWellFormed(value)) {
      throw new CheckpointError('InvalidTensor', source, `metadata ${quote(key)} holds half of a surrogate pair`);
    }
    if (index > 0 && pairs[index - 1][0] === key) {
      throw new CheckpointError('DuplicateKey', source, `metadata ${quote(key)} is given twice`);
    }
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  });
}

function encodeHeader(parts: readonly string[], source: string): Uint8Array {
  // Counted before joining: a string of all parts could be longer than the engine allows.
  let bytes = 2 + Math.max(0, parts.length - 1);
  for (const part of parts) {
    bytes += Buffer.byteLength(part);
  }
  const length = Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  if (length > MAX_HEADER_BYTES) {
    const problem = `the header would have ${length} bytes, the most is ${MAX_HEADER_BYTES}; write fewer tensors or less metadata`;
    throw new CheckpointError('HeaderTooLarge', source, problem);
  }
  const header = Buffer.alloc(LENGTH_BYTES + length, SPACE);
  header.writeBigUInt64LE(BigInt(length), 0);
  header.write(`{${parts.join(',')}}`, LENGTH_BYTES, 'utf8');
  return header;
}
