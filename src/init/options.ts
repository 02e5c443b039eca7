/** Options of a method, checked by the method itself. */
import { ConfigError } from '../base/errors.js';
import type { Method } from './method.js';

/**
 * @param name of the method, for messages
 * @returns the options with their defaults
 * @throws ConfigError with one line per problem.
 */
export function checkedOptions(
  name: string,
  { options: schema }: Pick<Method, 'options'>,
  options: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => {
    return `method ${name}: ${['options', ...path].join('.')}: ${message}`;
  });
  throw new ConfigError(lines.join('\n'));
}
