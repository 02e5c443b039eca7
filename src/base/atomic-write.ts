/**
 * Writes a file so that its path always holds either the old content whole or the new content whole: temporary file
 * in the same folder, fsync, rename, fsync of the folder. A killed process can leave a hidden `.NAME.*.tmp` beside
 * the target, never a half-written target.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WaveError } from './errors.js';
import { errorCodeOf, explainIoError } from './io-error.js';
import { makeFolder } from './make-folder.js';
import { printable } from './text.js';

/** A file that could not be written; what was there before is untouched. */
export class WriteError extends WaveError {
  /** The message without the path. */
  readonly reason: string;

  constructor(path: string, problem: string, options?: ErrorOptions) {
    const reason = `cannot be written: ${problem}`;
    super(`${printable(path)}: ${reason}`, 1, options);
    this.reason = reason;
  }
}

/** Where the content of an atomic write goes, from first byte to last. */
export interface AtomicSink {
  /** Appends bytes. The buffer may be reused as soon as the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Readable by everybody, as files made by other tools are; a temporary file would otherwise keep its private mode. */
const FILE_MODE = 0o644;

/** Largest single write in bytes: Node cannot pass more than 2^31 - 1 to the system. */
const MAX_WRITE_BYTES = 1 << 30;

/** Small writes are gathered up to this many bytes, so that many small tensors do not cost a system call each. */
const STAGING_BYTES = 1 << 20;

/** Characters of the target's name kept in the temporary name: 4 bytes each plus the suffix stays under 255 bytes. */
const MAX_TEMP_NAME_CHARACTERS = 40;

/**
 * Replaces the file at `path` with what `produce` writes. Missing folders are created; a symbolic link is followed,
 * so the file it points to is replaced.
 * @throws {WriteError} when the target is not a regular file or the system refuses. Errors thrown by `produce` pass
 * through. In every case the old file stays whole and the temporary file is removed.
 */
export async function writeAtomically(path: string, produce: (sink: AtomicSink) => Promise<void>): Promise<void> {
  const attempt = <T>(action: () => Promise<T>): Promise<T> => explained(path, action);
  const target = await attempt(() => resolveTarget(path));
  const folder = dirname(target);
  await attempt(() => makeFolder(folder));
  const name = basename(target).slice(0, MAX_TEMP_NAME_CHARACTERS);
  const temporary = join(folder, `.${name}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`);
  const handle = await attempt(() => open(temporary, 'wx', FILE_MODE));
  try {
    try {
      const sink = new StagedSink((bytes) => attempt(() => writeAll(handle, bytes)));
      await produce(sink);
      await sink.flush();
      // The mode given to open() is reduced by the umask.
      await attempt(() => handle.chmod(FILE_MODE));
      await attempt(() => handle.sync());
    } finally {
      await handle.close();
    }
    await attempt(() => rename(temporary, target));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/**
 * Replaces the file at `path` with the given text (as UTF-8) or bytes.
 * @throws {WriteError} as {@link writeAtomically}.
 */
export async function writeFileAtomically(path: string, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
  await writeAtomically(path, (sink) => sink.write(bytes));
}

/** Gathers small writes; large ones go straight through. */
class StagedSink implements AtomicSink {
  readonly #output: (bytes: Uint8Array) => Promise<void>;
  readonly #staging = new Uint8Array(STAGING_BYTES);
  #staged = 0;

  constructor(output: (bytes: Uint8Array) => Promise<void>) {
    this.#output = output;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#staged + bytes.byteLength > STAGING_BYTES) {
      await this.flush();
    }
    if (bytes.byteLength > STAGING_BYTES) {
      await this.#output(bytes);
      return;
    }
    this.#staging.set(bytes, this.#staged);
    this.#staged += bytes.byteLength;
  }

  async flush(): Promise<void> {
    const staged = this.#staging.subarray(0, this.#staged);
    this.#staged = 0;
    await this.#output(staged);
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const length = Math.min(bytes.byteLength - done, MAX_WRITE_BYTES);
    const { bytesWritten } = await handle.write(bytes, done, length);
    done += bytesWritten;
  }
}

/** The file to replace: `path` with symbolic links followed, and never a folder or a device such as /dev/null. */
async function resolveTarget(path: string): Promise<string> {
  try {
    const target = await realpath(path);
    const status = await stat(target);
    if (status.isDirectory()) {
      throw new WriteError(path, 'is a folder; name a file');
    }
    if (!status.isFile()) {
      throw new WriteError(path, 'is a device or pipe, not a file; name a file');
    }
    return target;
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') {
      return path;
    }
    throw error;
  }
}

async function explained<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof WriteError) {
      throw error;
    }
    throw new WriteError(path, explainIoError(error), { cause: error });
  }
}

/** Makes the rename itself durable. Systems that cannot open a folder (Windows) do without. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // The new file is in place and complete; only its survival of a power cut in the next seconds is less certain.
  }
}
