/**
 * Reads a configuration file and the files it `extends:`, lowest precedence first. What is wrong with one of them is
 * reported beside the problems of the others.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { LineCounter } from 'yaml';
import { type Problem, quoted } from './problems.js';
import type { MapTree, Origin, Tree } from './tree.js';
import { locateIn, parseYaml } from './yaml-tree.js';

/** Bytes of one configuration file; the largest shipped with the suite has 5 kB. */
const MAX_FILE_BYTES = 256 * 1024;
/** Files one configuration may pull in, repetitions counted: two `extends` at each of 30 levels would be 2^30. */
const MAX_FILES = 50;
/** The key that names the files below. */
const EXTENDS = 'extends';

/** Reads files for one configuration and numbers them as layers. */
export class FileReader {
  readonly #problems: Problem[];
  #files = 0;

  constructor(problems: Problem[]) {
    this.#problems = problems;
  }

  /** Number of files read so far. */
  get layers(): number {
    return this.#files;
  }

  /**
   * @param path as the user gave it, relative to the working directory; messages repeat it.
   * @param text content to use instead of the file's (standard input, a test).
   * @returns the settings of the file's bases and of the file itself, lowest precedence first.
   */
  read(path: string, text?: string): Tree[] {
    return this.#read(path, text, { text: path, layer: this.#files, line: 0, column: 0 }, '', []);
  }

  #read(path: string, text: string | undefined, from: Origin, key: string, chain: readonly string[]): Tree[] {
    const refuse = (message: string): Tree[] => {
      this.#problems.push({ origin: from, path: key, message });
      return [];
    };
    if (++this.#files > MAX_FILES) {
      return this.#files === MAX_FILES + 1 ? refuse(`more than ${MAX_FILES} files extend each other`) : [];
    }
    // In the problem of a named file, say which; at the top the origin already is the file.
    const subject = key === '' ? '' : `${path}: `;
    const content = text ?? readText(path);
    if (typeof content !== 'string') return refuse(subject + content.message);
    const identity = identify(path);
    if (chain.includes(identity)) return refuse(`${subject}extends itself, directly or through others`);

    const lines = new LineCounter();
    const before = this.#problems.length;
    const locate = locateIn(path, this.#files, lines);
    const tree = parseYaml(content, locate, this.#problems, lines);
    if (tree === undefined) {
      return this.#problems.length > before ? [] : refuse(`${subject}is empty; expected settings such as "key: value"`);
    }
    if (tree.kind !== 'map') {
      this.#problems.push({ origin: tree.origin, path: '', message: 'expected settings such as "key: value"' });
      return [];
    }
    return [...this.#bases(tree, path, [...chain, identity]), withoutExtends(tree)];
  }

  #bases(tree: MapTree, path: string, chain: readonly string[]): Tree[] {
    const value = tree.entries.get(EXTENDS)?.value;
    if (value === undefined) return [];
    const names = value.kind === 'list' ? value.items : [value];
    return names.flatMap((name) => {
      if (name.kind === 'scalar' && typeof name.value === 'string' && name.value !== '') {
        const base = isAbsolute(name.value) ? name.value : join(dirname(path), name.value);
        return this.#read(base, undefined, name.origin, EXTENDS, chain);
      }
      const found = name.kind === 'scalar' ? JSON.stringify(name.value) : `a ${name.kind}`;
      const message = `expected a file name or a list of file names, found ${found}`;
      this.#problems.push({ origin: name.origin, path: EXTENDS, message });
      return [];
    });
  }
}

function withoutExtends(tree: MapTree): MapTree {
  const entries = new Map(tree.entries);
  entries.delete(EXTENDS);
  return { ...tree, entries };
}

/** One name per file, whatever links lead to it. A pipe (`--config <(...)`) or a text without a file has no real path. */
function identify(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** The file's text, or why it cannot be had. */
function readText(path: string): string | { message: string } {
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) return { message: 'is a directory; name a YAML file' };
    if (stats.size > MAX_FILE_BYTES) return { message: `is larger than ${MAX_FILE_BYTES} bytes; no configuration is` };
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof TypeError) return { message: 'is not UTF-8 text' };
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT' || code === 'ENOTDIR') return { message: 'no such file' };
    if (code === 'EACCES' || code === 'EPERM') return { message: 'may not be read (permission denied)' };
    return { message: `cannot be read (${code || quoted(String(error))})` };
  }
}
