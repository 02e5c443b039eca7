import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { dataSchema, jsonSchema, loadConfig } from '#wave/config/index.js';

const text = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');

/** Dotted paths of all settings in a JSON Schema. */
function leaves(schema: z.core.JSONSchema.BaseSchema, path: string[] = []): string[] {
  const object = [schema, ...(schema.anyOf ?? [])].find((option) => typeof option === 'object' && option.properties);
  if (typeof object !== 'object') return [path.join('.')];
  return Object.entries(object.properties ?? {}).flatMap(([key, inner]) =>
    typeof inner === 'object' && key !== 'extends' ? leaves(inner, [...path, key]) : [],
  );
}

describe('docs/configuration.md', () => {
  it('describes every key of the data: block and no other', () => {
    const rows = [...text.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) =>
      cell
        .replaceAll('`', '')
        .split(',')
        .map((key) => key.trim()),
    );
    expect(rows.sort()).toEqual(leaves(jsonSchema(dataSchema)).sort());
  });

  it('shows a data: block that loads', () => {
    const blocks = [...text.matchAll(/```yaml\n(data:[\s\S]*?)```/g)].map(([, block]) => block);
    expect(blocks).toHaveLength(1);
    const { data } = loadConfig({ schema: z.strictObject({ data: dataSchema }), text: blocks[0] });
    expect(data).toMatchObject(parse(blocks[0]).data);
  });
});
