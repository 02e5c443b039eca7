/** The file that a path stands for, where a run folder can be named instead of a file in it. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { ArtifactKind } from './artifact.js';

/**
 * `KIND.safetensors` of a folder; any other path is that of the file itself. A model in a folder may be several files: it
 * is looked for when it is opened.
 */
export function artifactFile(path: string, kind: ArtifactKind): string {
  return kind !== 'model' && isFolder(path) ? join(path, `${kind}.safetensors`) : path;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Whoever opens it says what is wrong with it.
    return false;
  }
}
