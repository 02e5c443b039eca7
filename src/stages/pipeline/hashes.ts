/** SHA-256 of files, each computed once as long as the file stays as it is. */
import { stat } from 'node:fs/promises';
import { sha256, sha256File } from '../../base/sha256.js';
import {
  type ArtifactKind,
  artifactFile,
  expectKind,
  openSafetensors,
  readArtifactInfo,
} from '../../checkpoint/index.js';
import { onnxFiles } from '../../engine/onnx-file.js';
import type { DataFile, Listing } from './data-files.js';

export class Hashes {
  readonly #listings = new Map<string, Promise<string>>();
  readonly #known = new Map<string, { readonly mark: string; readonly sha256: string }>();

  /**
   * @throws DataError when the file cannot be read.
   */
  async of(path: string): Promise<string> {
    const mark = await markOf(path);
    const known = this.#known.get(path);
    if (known !== undefined && known.mark === mark) return known.sha256;
    const computed = await sha256File(path);
    if (mark !== undefined) this.#known.set(path, { mark, sha256: computed });
    return computed;
  }

  /** As {@link of}, but undefined when there is no such file. */
  async ifThere(path: string): Promise<string | undefined> {
    return (await markOf(path)) === undefined ? undefined : this.of(path);
  }

  /**
   * One hash for several files, whatever their names, and for listings; null for none.
   *
   * @throws DataError when a file cannot be read.
   */
  async ofAll(files: readonly DataFile[]): Promise<string | null> {
    if (files.length === 0) return null;
    const hashes: string[] = [];
    for (const file of files) hashes.push(await (typeof file === 'string' ? this.of(file) : this.#ofListing(file)));
    return hashes.length === 1 ? (hashes[0] as string) : sha256(hashes.join('\n'));
  }

  /** Each listed once: that of a large data set takes a while. */
  #ofListing({ key, lines }: Listing): Promise<string> {
    const known = this.#listings.get(key) ?? lines().then((found) => sha256(found.join('\n')));
    this.#listings.set(key, known);
    return known;
  }

  /**
   * Of a checkpoint: of all its shards, or of the file that a folder stands for.
   *
   * @throws CheckpointError when it is none, or one of another kind. A model may be one of another tool.
   */
  async ofCheckpoint(path: string, kind: ArtifactKind): Promise<string> {
    const file = await openSafetensors(artifactFile(path, kind));
    const { files } = file;
    try {
      if (kind !== 'model' || readArtifactInfo(file) !== undefined) expectKind(file, kind);
    } finally {
      await file.close();
    }
    return (await this.ofAll(files)) as string;
  }

  /**
   * Of an ONNX model, with the files beside it that hold its weights.
   *
   * @throws CheckpointError when it is none.
   */
  async ofOnnx(path: string): Promise<string> {
    return (await this.ofAll(await onnxFiles(path))) as string;
  }
}

/** Changes with the content of a file, and needs no reading; undefined when there is no file. */
async function markOf(path: string): Promise<string | undefined> {
  try {
    const { size, mtimeNs, ino } = await stat(path, { bigint: true });
    return `${size} ${mtimeNs} ${ino}`;
  } catch {
    return undefined;
  }
}
