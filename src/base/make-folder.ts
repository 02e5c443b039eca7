/**
 * Makes a folder and the folders above it. Node's own `mkdir(path, { recursive: true })` never returns where the system
 * answers ENOENT although the parent is there, as /proc and some network file systems do.
 */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCodeOf } from './io-error.js';

/**
 * @throws the system's error when a folder cannot be made, ENOTDIR or EEXIST when a file is in the way.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = errorCodeOf(error);
    if (await isFolder(path)) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || (await isFolder(parent))) throw error;
    await makeFolder(parent);
    await makeFolder(path);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
