/** Reads a JSON file that lies beside a checkpoint. */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { ModelError } from '../../base/errors.js';
import { errorCodeOf, explainIoError } from '../../base/io-error.js';
import { printable } from '../../base/text.js';

/** Largest file in bytes. A config.json with the names of 22,000 classes twice has about 2 MB. */
const MAX_BYTES = 64_000_000;

/**
 * @returns undefined when there is no such file
 * @throws ModelError when it cannot be read, is not a JSON object, or is too large.
 */
export async function readJsonFile(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const refuse = (problem: string, cause?: unknown) => new ModelError(`${printable(path)}: ${problem}`, 1, { cause });
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw refuse(`has ${size} bytes, the most is ${MAX_BYTES}; check that it is the right file`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof ModelError) throw error;
    if (errorCodeOf(error) === 'ENOENT') return undefined;
    throw refuse(`cannot be read: ${explainIoError(error)}`, error);
  }
  if (text.startsWith('version https://git-lfs.github.com/spec/')) {
    throw refuse('is a Git LFS pointer, not the file; run `git lfs pull` in its repository');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse('is not valid JSON; get the file again', error);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw refuse('must be a JSON object; get the file again');
}

/**
 * The fields that are needed of such a file.
 *
 * @throws ModelError naming the first that is wrong.
 */
export function checkFields<T extends z.ZodType>(schema: T, value: unknown, path: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ModelError(`${printable(path)}: ${issue?.path.join('.')}: ${issue?.message}; correct the file`);
}

/** One side for both, or `[height, width]`. */
export const sides = z
  .union([z.int().positive(), z.tuple([z.int().positive(), z.int().positive()])])
  .transform((value): readonly [number, number] => (typeof value === 'number' ? [value, value] : value));
