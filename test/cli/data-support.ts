/** Calls `wave data` for its result. */
import { expect } from 'vitest';
import { onlyDocument, wave } from './support.js';

export async function result<Result>(words: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await wave(['data', ...words, '--json', '--quiet']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const document = onlyDocument(stdout) as { ok: boolean; result: Result };
  expect(document.ok).toBe(true);
  return document.result;
}
