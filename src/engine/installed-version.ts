/** Versions of the packages that the suite stands on. */
import { createRequire } from 'node:module';

/** Version of an installed package, `undefined` if it is not installed. */
export function installedVersion(name: string): string | undefined {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const content: { version?: unknown } = require(`${folder}/${name}/package.json`);
      return String(content.version);
    } catch {
      // Not in this node_modules folder; a parent's may have it.
    }
  }
  return undefined;
}
