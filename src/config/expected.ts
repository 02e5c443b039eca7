/**
 * What a schema expects at a path, in words, and which keys it knows there. Works on the JSON Schema that zod makes of
 * the schema, a published format, rather than on zod's internals.
 */
import { z } from 'zod';

/** The part of JSON Schema (draft 7) that zod writes. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** The JSON Schema of what may be written (before defaults are filled in). */
export function inputSchema(schema: z.ZodType): JsonSchema {
  // zod's own type also covers the drafts that allow booleans for schemas; draft 7 as zod writes it is this subset.
  return z.toJSONSchema(schema, { io: 'input', target: 'draft-7', unrepresentable: 'any' }) as JsonSchema;
}

/** All alternatives that hold at `path`; several under a union, none where the schema knows no such place. */
function schemasAt(root: JsonSchema, path: readonly PropertyKey[]): JsonSchema[] {
  let here = alternatives(root, root);
  for (const segment of path) here = here.flatMap((schema) => step(root, schema, segment));
  return here;
}

function alternatives(root: JsonSchema, schema: JsonSchema): JsonSchema[] {
  if (schema.$ref !== undefined) {
    const target = schema.$ref === '#' ? root : root.definitions?.[schema.$ref.replace('#/definitions/', '')];
    return target ? alternatives(root, target) : [];
  }
  const inner = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (inner) return inner.flatMap((option) => alternatives(root, option));
  const { type } = schema;
  return Array.isArray(type) ? type.map((one: string) => ({ ...schema, type: one })) : [schema];
}

function step(root: JsonSchema, schema: JsonSchema, segment: PropertyKey): JsonSchema[] {
  let next: JsonSchema | boolean | undefined;
  if (schema.type === 'array') {
    next = Array.isArray(schema.items) ? schema.items[Number(segment)] : (schema.items as JsonSchema | undefined);
  } else if (Object.hasOwn(schema.properties ?? {}, segment)) {
    next = schema.properties?.[String(segment)];
  } else {
    next = schema.additionalProperties;
  }
  return typeof next === 'object' ? alternatives(root, next) : [];
}

/** Whether a list may stand at `path`. */
export function acceptsList(root: JsonSchema, path: readonly PropertyKey[]): boolean {
  return schemasAt(root, path).some((schema) => schema.type === 'array');
}

/**
 * The keys that a mapping at `path` may have.
 *
 * @param written what a key of that mapping holds: the variants of a union that another `kind:` selects are left out.
 */
export function knownKeys(root: JsonSchema, path: readonly PropertyKey[], written: (key: string) => unknown): string[] {
  const isOther = ([key, inner]: [string, JsonSchema]) => 'const' in inner && inner.const !== written(key);
  const variants = schemasAt(root, path).map((schema) => Object.entries(schema.properties ?? {}));
  const selected = variants.filter((properties) => !properties.some(isOther));
  return [...new Set((selected.length > 0 ? selected : variants).flat().map(([key]) => key))];
}

/** Dotted paths of the mappings that know `key`, to tell a misplaced key from a misspelt one. */
export function placesOf(root: JsonSchema, key: string): string[] {
  const found = new Set<string>();
  const visit = (schema: JsonSchema, path: readonly string[]) => {
    for (const option of alternatives(root, schema)) {
      for (const [name, inner] of Object.entries(option.properties ?? {})) {
        if (name === key && path.length > 0) found.add(path.join('.'));
        // A schema that contains itself goes on for ever; its keys were seen on the first level.
        if (inner.$ref === undefined) visit(inner, [...path, name]);
      }
    }
  };
  visit(root, []);
  return [...found];
}

/** The texts that may stand at `path`, where the choice is a fixed one. */
export function choicesAt(root: JsonSchema, path: readonly PropertyKey[]): string[] {
  const values = schemasAt(root, path).flatMap((schema) => [...(schema.enum ?? []), schema.const]);
  return [...new Set(values.filter((value) => typeof value === 'string'))];
}

/** What may stand at `path`, as words that follow "expected": "a positive number", "one of cpu, cuda". */
export function expectedAt(root: JsonSchema, path: readonly PropertyKey[]): string {
  const schemas = schemasAt(root, path);
  const fixed = [...new Set(schemas.flatMap((s) => s.enum ?? ('const' in s ? [s.const] : [])).map(String))];
  const open = schemas.filter((s) => s.enum === undefined && !('const' in s)).map((s) => describe(root, s));
  if (fixed.length > 0) open.unshift(fixed.length === 1 ? fixed[0] : `one of ${fixed.join(', ')}`);
  return open.length === 0 ? 'a value' : [...new Set(open)].join(' or ');
}

function describe(root: JsonSchema, schema: JsonSchema): string {
  switch (schema.type) {
    case 'number':
      return numberText(schema, 'number');
    case 'integer':
      return numberText(schema, 'whole number');
    case 'string':
      return schema.minLength ? 'text that is not empty' : 'text';
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    case 'object':
      return 'a mapping';
    case 'array':
      return listText(root, schema);
    default:
      return 'a value';
  }
}

function numberText(schema: JsonSchema, noun: string): string {
  // zod states that integers are safe ones; nobody needs to be told.
  const min = schema.minimum === Number.MIN_SAFE_INTEGER ? undefined : schema.minimum;
  const max = schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum;
  const { exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  if (above === 0 && max === undefined && below === undefined) return `a positive ${noun}`;
  if (min !== undefined && max !== undefined) return `a ${noun} from ${min} to ${max}`;
  const bounds: string[] = [];
  if (above !== undefined) bounds.push(`above ${above}`);
  else if (min !== undefined) bounds.push(`of at least ${min}`);
  if (below !== undefined) bounds.push(`below ${below}`);
  else if (max !== undefined) bounds.push(`of at most ${max}`);
  return [`a ${noun}`, bounds.join(' and ')].filter((part) => part !== '').join(' ');
}

function listText(root: JsonSchema, schema: JsonSchema): string {
  const { minItems: min, maxItems: max } = schema;
  let text = 'a list';
  if (min !== undefined && min === max) text += ` of ${min}`;
  else if (min !== undefined && max !== undefined) text += ` of ${min} to ${max}`;
  else if (min !== undefined) text += ` of at least ${min}`;
  else if (max !== undefined) text += ` of at most ${max}`;
  const items = schema.items;
  if (items === undefined || Array.isArray(items)) return text;
  return `${text} (each ${expectedAt({ ...(items as JsonSchema), definitions: root.definitions ?? {} }, [])})`;
}
