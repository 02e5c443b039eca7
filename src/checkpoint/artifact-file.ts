/** The file that a path stands for, where a run folder can be named instead of a file in it. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ArtifactKind } from './artifact.js';
import { INDEX_FILE, MODEL_FILE } from './model-file.js';

/** What {@link openSafetensors} looks for in a folder. */
const MODEL_NAMES = [MODEL_FILE, INDEX_FILE];

/**
 * `KIND.safetensors` of a folder; any other path is that of the file itself. A model in a folder may be several files: it
 * is looked for when it is opened.
 */
export function artifactFile(path: string, kind: ArtifactKind): string {
  return kind !== 'model' && isFolder(path) ? join(path, `${kind}.safetensors`) : path;
}

/**
 * The file to look into where any kind will do: of a folder without a model, the templates in it, else the scalers. Any
 * other path is returned as it is.
 */
export function anyArtifactFile(path: string): string {
  if (!isFolder(path)) return path;
  const isThere = (name: string) => existsSync(join(path, name));
  if (MODEL_NAMES.some(isThere)) return path;
  const name = ['templates.safetensors', 'scalers.safetensors'].find(isThere);
  return name === undefined ? path : join(path, name);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Whoever opens it says what is wrong with it.
    return false;
  }
}
