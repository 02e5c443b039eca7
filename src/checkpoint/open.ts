/** Opens checkpoints: a file, an index of shards, a folder that holds one of them, or bytes in memory. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorCodeOf } from '../base/io-error.js';
import { printable } from '../base/text.js';
import { type ByteSource, ioError, MemorySource, openFileSource } from './byte-source.js';
import { CheckpointError } from './errors.js';
import { GET_SAFETENSORS, ONNX_USES, PICKLE_RECIPE, recogniseForeign, SNIFF_BYTES } from './foreign.js';
import { type Header, readHeader, readHeaderLength } from './header.js';
import { LENGTH_BYTES } from './limits.js';
import { INDEX_FILE, MODEL_FILE } from './model-file.js';
import { isOnnxPath } from './onnx-path.js';
import { type SafetensorsReader, SingleFileReader } from './reader.js';
import { openIndex } from './sharded.js';

/** `owner/name`, as timm and transformers take it. */
const HUB_NAME =
  /^(?:hf-hub:)?([A-Za-z0-9][\w.-]*)\/([A-Za-z0-9][\w.-]*?)(?<!\.safetensors|\.json|\.bin|\.pth?|\.onnx)$/;

/** End of the name of an index. */
const INDEX_SUFFIX = '.safetensors.index.json';

/** Files with weights that are not safetensors, to say why a folder is refused. */
const PICKLE_NAME = /\.(?:bin|pt|pth|ckpt)$/;

/**
 * Opens a checkpoint and checks its header (of every shard, for a sharded model). No tensor is read yet.
 * @param path A safetensors file, a `NAME.safetensors.index.json`, or a folder that holds `model.safetensors` or
 * `model.safetensors.index.json`.
 * @throws {CheckpointError} with the first thing that is wrong.
 */
export async function openSafetensors(path: string): Promise<SafetensorsReader> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    const hint = errorCodeOf(error) === 'ENOENT' ? downloadHint(path) : undefined;
    if (hint !== undefined) throw new CheckpointError('FileNotFound', path, hint, { cause: error });
    throw ioError(error, path, 'read');
  }
  const file = isFolder ? await findInFolder(path) : path;
  return basename(file).endsWith(INDEX_SUFFIX) ? openIndex(file, openFile) : openFile(file);
}

/** What to do about a path that is not there and reads like the name of a model on the Hugging Face Hub. */
function downloadHint(path: string): string | undefined {
  const [, owner, name] = HUB_NAME.exec(path) ?? [];
  // Where the first part is a folder, the path is one that was mistyped.
  if (owner === undefined || name === undefined || existsSync(owner)) return undefined;
  return (
    'cannot be read: no such file or folder; if it is a model of the Hugging Face Hub, download it first: ' +
    `hf download ${owner}/${name} --local-dir ${name}`
  );
}

/**
 * Reads a checkpoint that is in memory. The bytes are not copied and must not change while the reader is in use.
 * @param sourceName Stands where a path would stand in messages.
 * @throws {CheckpointError} as {@link openSafetensors}.
 */
export function parseSafetensors(bytes: Uint8Array, sourceName: string): SafetensorsReader {
  const head = bytes.subarray(0, SNIFF_BYTES);
  const header = recognising(head, sourceName, () => {
    const length = readHeaderLength(head, bytes.byteLength, sourceName);
    return readHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.byteLength, sourceName);
  });
  return new SingleFileReader(new MemorySource(sourceName, bytes), withSource(header, sourceName));
}

async function openFile(path: string): Promise<SingleFileReader> {
  const source = await openFileSource(path);
  try {
    return new SingleFileReader(source, withSource(await readFileHeader(source), path));
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readFileHeader(source: ByteSource): Promise<Header> {
  const head = new Uint8Array(Math.min(SNIFF_BYTES, source.size));
  await source.readInto(head, 0);
  const length = recognising(head, source.name, () => readHeaderLength(head, source.size, source.name));
  const headerBytes = new Uint8Array(length);
  await source.readInto(headerBytes, LENGTH_BYTES);
  return recognising(head, source.name, () => readHeader(headerBytes, source.size, source.name));
}

/** Runs a check of the header; when it fails and the file is of another known format, says that instead. */
function recognising<T>(head: Uint8Array, source: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    const foreign = error instanceof CheckpointError ? recogniseForeign(head) : undefined;
    if (foreign !== undefined) {
      throw new CheckpointError(foreign.code, source, foreign.problem, { cause: error });
    }
    throw error;
  }
}

function withSource(header: Header, source: string): Header {
  return { ...header, warnings: header.warnings.map((warning) => `${printable(source)}: ${warning}`) };
}

async function findInFolder(folder: string): Promise<string> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw ioError(error, folder, 'read');
  }
  for (const name of [MODEL_FILE, INDEX_FILE]) {
    if (names.includes(name)) {
      return join(folder, name);
    }
  }
  throw new CheckpointError('NoModelInFolder', folder, describeFolder(names.sort()));
}

function describeFolder(names: readonly string[]): string {
  const lacks = `the folder holds neither ${MODEL_FILE} nor ${INDEX_FILE}`;
  const safetensors = names.filter((name) => name.endsWith('.safetensors') || name.endsWith(INDEX_SUFFIX));
  if (safetensors.length > 0) {
    const some = safetensors.slice(0, 3).map(printable).join(', ');
    const others = safetensors.length > 3 ? ` and ${safetensors.length - 3} more` : '';
    return `${lacks}; name one of its files: ${some}${others}`;
  }
  const pickle = names.find((name) => PICKLE_NAME.test(name));
  if (pickle !== undefined) {
    return `${lacks}, only ${printable(pickle)}, a PyTorch pickle that is not read; ${PICKLE_RECIPE}`;
  }
  const onnx = names.find(isOnnxPath);
  if (onnx !== undefined) {
    return `${lacks}, only ${printable(onnx)}, an ONNX model, whose weights cannot be taken over; ${GET_SAFETENSORS} ${ONNX_USES}`;
  }
  return `${lacks}; check the path`;
}
