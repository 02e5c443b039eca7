/** The version of the package. */
import { readFileSync } from 'node:fs';

/** Version from package.json, for example `0.1.0`. */
export function toolVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const parsed: { version?: unknown } = JSON.parse(text);
  return String(parsed.version);
}
