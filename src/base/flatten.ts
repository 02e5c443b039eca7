/** Nested records as a list of their fields, to compare two of them. */

/**
 * The fields of a record by dotted path; lists are values.
 *
 * @param prefix path of the record itself
 */
export function flatten(value: unknown, prefix = ''): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Map([[prefix, value]]);
  const entries = Object.entries(value).flatMap(([key, inner]) => [
    ...flatten(inner, prefix === '' ? key : `${prefix}.${key}`),
  ]);
  return new Map(entries);
}
