/** What can be said about a schema without a configuration: is it strict all the way down, and its form for editors. */
import { z } from 'zod';
import { PRIVATE_PREFIX } from './tree.js';

/**
 * The places in `schema` where an object lets unknown keys pass; a schema of this suite has none.
 *
 * @returns one text per place, `(root)` for the schema itself.
 */
export function nonStrictPaths(schema: z.ZodType): string[] {
  const places = new Set<string>();
  // A transformed schema shows one face to what is written and another to what is read: look at both.
  for (const io of ['input', 'output'] as const) {
    z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override: ({ zodSchema, path }) => {
        const { def } = zodSchema._zod;
        if (def.type === 'object' && def.catchall?._zod.def.type !== 'never') places.add(path.join('.') || '(root)');
      },
    });
  }
  return [...places];
}

/**
 * The JSON Schema of a configuration file, for editors: with `extends:` at the top and `x-` keys allowed everywhere.
 * Draft 7, which the YAML plug-ins of editors understand best.
 */
export function jsonSchema(schema: z.ZodType): Record<string, unknown> {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: object }) => {
      if (zodSchema._zod.def.type === 'object') object.patternProperties = { [`^${PRIVATE_PREFIX}`]: {} };
    },
  });
  const file = { type: 'string', minLength: 1 };
  const description = 'Files below this one, relative to it; later ones win, this file wins over all.';
  return {
    ...json,
    properties: { extends: { description, anyOf: [file, { type: 'array', items: file }] }, ...json.properties },
  };
}
