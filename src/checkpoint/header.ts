/**
 * From header bytes to a checked table of tensors. The checks run in the order of the reference implementation, so
 * that both blame the same thing; where it is laxer than the format's text, this reader follows the text
 * (docs/checkpoints.md has the table).
 */
import { isUtf8 } from 'node:buffer';
import { quote } from '../base/text.js';
import { type Dtype, dtypeBits } from './dtypes.js';
import { CheckpointError } from './errors.js';
import { type HeaderEntry, type ParsedHeader, parseHeaderText } from './header-json.js';
import { LENGTH_BYTES, MAX_HEADER_BYTES, MAX_U64 } from './limits.js';

/** What a file says about one tensor. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  /** Size of each dimension, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** Number of elements, the product of `shape`. */
  readonly elements: number;
  readonly byteLength: number;
  /** First byte and the byte after the last, counted from the start of the file's data area. */
  readonly dataOffsets: readonly [number, number];
  /** Path of the file (the shard, for a sharded model) or name of the buffer that holds it. */
  readonly file: string;
}

/** A checked header. */
export interface Header {
  readonly metadata: ReadonlyMap<string, string>;
  /** By name, in the order of the data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Things that were accepted although the format does not foresee them. */
  readonly warnings: readonly string[];
  /** Position of the data area in the file. */
  readonly dataStart: number;
}

/**
 * Checks the length field against the cap and the file size, before anything is allocated.
 * @param head At least the first 8 bytes when the file has them.
 * @returns Length of the header in bytes.
 * @throws {CheckpointError} HeaderTooSmall, HeaderTooLarge, InvalidHeaderLength.
 */
export function readHeaderLength(head: Uint8Array, fileBytes: number, source: string): number {
  if (fileBytes < LENGTH_BYTES || head.byteLength < LENGTH_BYTES) {
    const found = fileBytes === 0 ? 'the file is empty' : `the file has only ${fileBytes} bytes`;
    throw new CheckpointError('HeaderTooSmall', source, `${found}, not a safetensors file; copy it again`);
  }
  const length = new DataView(head.buffer, head.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new CheckpointError(
      'HeaderTooLarge',
      source,
      `not a safetensors file: the header length is ${length} bytes, the most is ${MAX_HEADER_BYTES}; check that it is the right file`,
    );
  }
  if (BigInt(LENGTH_BYTES) + length > BigInt(fileBytes)) {
    throw new CheckpointError(
      'InvalidHeaderLength',
      source,
      `the file is truncated: the header needs ${BigInt(LENGTH_BYTES) + length} bytes, the file has ${fileBytes}; copy it again`,
    );
  }
  return Number(length);
}

/**
 * Parses and checks a header.
 * @param headerBytes The header without its length field.
 * @param fileBytes Size of the whole file.
 * @throws {CheckpointError} with the code of the first check that fails.
 */
export function readHeader(headerBytes: Uint8Array, fileBytes: number, source: string): Header {
  if (!isUtf8(headerBytes)) {
    throw new CheckpointError('InvalidHeader', source, 'the header is not UTF-8; the file is damaged: copy it again');
  }
  const bytes = Buffer.from(headerBytes.buffer, headerBytes.byteOffset, headerBytes.byteLength);
  const parsed = parseHeaderText(bytes.toString('utf8'), source);
  const dataStart = LENGTH_BYTES + headerBytes.byteLength;
  const tensors = layOut(parsed, source);
  const promised = dataStart + endOfData(tensors);
  if (promised !== fileBytes) {
    throw new CheckpointError('MetadataIncompleteBuffer', source, describeLength(promised, fileBytes));
  }
  return { metadata: parsed.metadata, tensors, warnings: parsed.warnings, dataStart };
}

function describeLength(promised: number, fileBytes: number): string {
  if (fileBytes < promised) {
    return `the file is truncated: the header promises ${promised} bytes, the file has ${fileBytes}; copy it again`;
  }
  return `the file has ${fileBytes - promised} bytes after its last tensor (${fileBytes}, the header promises ${promised}); it is damaged: copy it again`;
}

/** Offset after the last tensor; the map is in the order of the data. */
function endOfData(tensors: ReadonlyMap<string, TensorInfo>): number {
  let end = 0;
  for (const info of tensors.values()) {
    end = info.dataOffsets[1];
  }
  return end;
}

/** Walks the tensors in the order of their data and checks that they follow each other without gap or overlap. */
function layOut(parsed: ParsedHeader, source: string): Map<string, TensorInfo> {
  const entries = parsed.entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const tensors = new Map<string, TensorInfo>();
  let start = 0;
  for (const entry of entries) {
    if (entry.begin !== start || entry.end < entry.begin) {
      throw new CheckpointError('InvalidOffset', source, describeOffsets(entry, start));
    }
    start = entry.end;
    const bytes = tensorBytes(entry, source);
    if (BigInt(entry.end - entry.begin) !== bytes) {
      throw new CheckpointError(
        'TensorInvalidInfo',
        source,
        `tensor ${quote(entry.name)}: ${entry.dtype} [${entry.shape}] needs ${bytes} bytes, its data_offsets give ${entry.end - entry.begin}; the file is damaged`,
      );
    }
    tensors.set(entry.name, {
      name: entry.name,
      dtype: entry.dtype,
      shape: entry.shape,
      elements: Number((bytes * 8n) / BigInt(dtypeBits(entry.dtype))),
      byteLength: entry.end - entry.begin,
      dataOffsets: [entry.begin, entry.end],
      file: source,
    });
  }
  return tensors;
}

function describeOffsets(entry: HeaderEntry, start: number): string {
  const found = `tensor ${quote(entry.name)}: data_offsets [${entry.begin}, ${entry.end}]`;
  if (entry.end < entry.begin) {
    return `${found} are reversed; the file is damaged`;
  }
  const kind = entry.begin > start ? 'leave a gap' : 'overlap another tensor';
  return `${found} ${kind}, the previous data ends at ${start}; the file is damaged`;
}

/**
 * Bytes of a tensor of the given dtype and shape.
 * @throws {CheckpointError} ValidationOverflow when a product, taken from left to right, does not fit 64 bits;
 * MisalignedSlice when a sub-byte dtype does not fill its last byte.
 */
export function tensorBytes(
  tensor: { readonly name: string; readonly dtype: Dtype; readonly shape: readonly number[] },
  source: string,
): bigint {
  let bits = BigInt(dtypeBits(tensor.dtype));
  let elements = 1n;
  for (const size of tensor.shape) {
    elements *= BigInt(size);
    if (elements > MAX_U64) {
      break;
    }
  }
  bits *= elements;
  if (bits > MAX_U64) {
    throw new CheckpointError(
      'ValidationOverflow',
      source,
      `tensor ${quote(tensor.name)}: ${tensor.dtype} [${tensor.shape}] is larger than any file can be; the shape is wrong`,
    );
  }
  if (bits % 8n !== 0n) {
    throw new CheckpointError(
      'MisalignedSlice',
      source,
      `tensor ${quote(tensor.name)}: ${tensor.dtype} [${tensor.shape}] has ${bits} bits, which do not fill whole bytes`,
    );
  }
  return bits / 8n;
}
