/** JSON with sorted keys and no spaces: the same value always gives the same text, so that it can be hashed. */
import { compareUtf8 } from './text.js';

/**
 * JSON text of a value with the keys of every object sorted: whole numbers first, then by code point. Properties that are `undefined` are left
 * out, as `JSON.stringify` does.
 * @throws {TypeError} for what JSON cannot hold (numbers that are not finite, functions, big integers): a bug in the
 * caller, because it would be lost silently.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (key, item: unknown) => {
    if (typeof item === 'number' && !Number.isFinite(item)) {
      throw new TypeError(`internal: ${item} at "${key}" has no JSON form`);
    }
    if (typeof item === 'function' || typeof item === 'symbol' || (item === undefined && key === '')) {
      throw new TypeError(`internal: a ${typeof item} at "${key}" has no JSON form`);
    }
    if (typeof item === 'object' && item !== null && !Array.isArray(item)) {
      const entries = Object.entries(item).sort(([a], [b]) => compareUtf8(a, b));
      return Object.fromEntries(entries);
    }
    return item;
  });
}
