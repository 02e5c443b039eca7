/** Turns zod's issues into problems with a place, the rule in words, and what was found. */
import type { z } from 'zod';
import { choicesAt, expectedAt, type JsonSchema, knownKeys, placesOf } from './expected.js';
import { type Problem, pathText, quoted } from './problems.js';
import { closest } from './suggest.js';
import { lookUp, type Tree } from './tree.js';

type Issue = z.core.$ZodIssue;

/** How the path of a setting appears in messages. */
type NamePath = (path: readonly PropertyKey[]) => string;

/** @param tree the merged settings that were checked. */
export function problemsOf(
  issues: readonly Issue[],
  tree: Tree,
  schema: JsonSchema,
  name: NamePath = pathText,
): Problem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, tree, schema, name));
}

function problemsOfIssue(issue: Issue, tree: Tree, schema: JsonSchema, name: NamePath): Problem[] {
  const { node, origin } = lookUp(tree, issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      origin: (node?.kind === 'map' ? node.entries.get(key)?.keyOrigin : undefined) ?? origin,
      path: name([...issue.path, key]),
      message: unknownKey(key, issue.path, node, schema),
    }));
  }
  if (issue.code === 'invalid_union') {
    // The option whose own type fits tells more than "none fits": its issues lie deeper than the union.
    const inner = issue.errors.find((errors) => errors.length > 0 && errors.every((error) => error.path.length > 0));
    if (inner) {
      return problemsOf(
        inner.map((error) => ({ ...error, path: [...issue.path, ...error.path] })),
        tree,
        schema,
        name,
      );
    }
  }
  return [{ origin, path: name(issue.path), message: valueMessage(issue, node, schema) }];
}

/** `{depth:3}`: without a space, YAML takes all of it for a key. */
const GLUED_VALUE = /^([^:]+):([^:]*)$/;

function unknownKey(key: string, path: readonly PropertyKey[], node: Tree | undefined, schema: JsonSchema): string {
  const known = knownKeys(schema, path, (name) => {
    const value = node?.kind === 'map' ? node.entries.get(name)?.value : undefined;
    return value?.kind === 'scalar' ? value.value : undefined;
  });
  const glued = GLUED_VALUE.exec(key);
  if (glued !== null) return `unknown key, a space is missing after the colon: write \`${glued[1]}: ${glued[2]}\``;
  const near = closest(key, known);
  if (near !== undefined) return `unknown key, did you mean \`${near}\`?`;
  const places = placesOf(schema, key).filter((place) => place !== path.join('.'));
  if (places.length > 0)
    return `unknown key here, it belongs under ${places.map((place) => `\`${place}\``).join(' or ')}`;
  return known.length === 0 ? 'unknown key, none is expected here' : `unknown key, expected one of ${known.join(', ')}`;
}

/** Issues whose rule the JSON Schema cannot put into words, so zod's own message is used. */
const WORDED_BY_ZOD: ReadonlySet<Issue['code']> = new Set(['invalid_format', 'not_multiple_of', 'invalid_key']);

function valueMessage(issue: Issue, node: Tree | undefined, schema: JsonSchema): string {
  if (issue.code === 'custom') return issue.message;
  if (node === undefined) return `required, but missing; expected ${expectedAt(schema, issue.path)}`;
  if (WORDED_BY_ZOD.has(issue.code)) return `${issue.message}, found ${foundText(node)}`;
  const message = `expected ${expectedAt(schema, issue.path)}, found ${foundText(node)}`;
  if (node.kind !== 'scalar' || typeof node.value !== 'string') return message;
  const near = closest(node.value, choicesAt(schema, issue.path));
  return near === undefined ? message : `${message}, did you mean \`${near}\`?`;
}

function foundText(node: Tree): string {
  if (node.kind === 'map') return 'a mapping';
  if (node.kind === 'list') return `a list of ${node.items.length}`;
  if (node.value === null) return 'nothing (null)';
  return typeof node.value === 'string' ? quoted(node.value) : String(node.value);
}
