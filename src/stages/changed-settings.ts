/** Which settings of a run differ from those it was started with. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { ConfigError } from '../base/errors.js';
import { flatten } from '../base/flatten.js';

/** Differences that are named; more are counted. */
const NAMED = 3;

/**
 * Compares a configuration with the one that a run folder holds.
 *
 * @param path of `config.resolved.yaml`; a file that is missing or no YAML tells nothing, and the state's own record of
 * its configuration decides.
 * @throws ConfigError naming the settings that differ, with both values.
 */
export async function checkSameSettings(path: string, config: unknown): Promise<void> {
  const before = await readSettings(path);
  if (before === undefined) return;
  const found = differences(before, config);
  if (found.length === 0) return;
  const more = found.length > NAMED ? `, and ${found.length - NAMED} more` : '';
  throw new ConfigError(
    `${path}: the run was started with other settings: ${found.slice(0, NAMED).join('; ')}${more}; ` +
      'resume with its own, or start anew with --force',
  );
}

/**
 * What differs, as `train.lr was 0.1, is 0.2`.
 *
 * @param prefix path of what is compared
 */
export function differences(before: unknown, after: unknown, prefix = ''): string[] {
  const [then, now] = [asJson(before, prefix), asJson(after, prefix)];
  const keys = [...new Set([...then.keys(), ...now.keys()])].filter((key) => then.get(key) !== now.get(key));
  return keys.map((key) => `${key} was ${then.get(key) ?? 'absent'}, is ${now.get(key) ?? 'absent'}`);
}

async function readSettings(path: string): Promise<unknown> {
  try {
    return parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Values as JSON by dotted path. */
function asJson(settings: unknown, prefix: string): Map<string, string> {
  return new Map([...flatten(settings, prefix)].map(([path, value]) => [path, JSON.stringify(value)]));
}
