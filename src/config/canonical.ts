/** One text and one hash per configuration, whatever the order in which its keys were written. */
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';

/** A copy with the keys of every mapping sorted and undefined ones left out. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  // Plain code-unit order: a locale's order would differ between machines.
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** `value` as YAML with sorted keys, no anchors and no folded lines. Loading it again gives `value`. */
export function canonicalYaml(value: unknown): string {
  return stringify(sorted(value), { aliasDuplicateObjects: false, lineWidth: 0, version: '1.2' });
}

/** The text of `config.resolved.yaml`: every setting a run used, defaults included. */
export function resolvedConfigYaml(value: unknown): string {
  return `# Every setting of this run, defaults included. Give this file to --config to run it again.\n${canonicalYaml(value)}`;
}

/** SHA-256 (lower-case hex) of the configuration as JSON with sorted keys. */
export function configSha256(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(value)))
    .digest('hex');
}
