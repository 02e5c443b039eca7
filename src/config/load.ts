/** Loads a configuration: defaults < recipe < `extends:` files < file < `--set` < named flags, checked as a whole. */
import type { z } from 'zod';
import { withoutReplaced } from './alternatives.js';
import { inputSchema } from './expected.js';
import { FileReader } from './files.js';
import { problemsOf } from './issues.js';
import { applyFlag, applySet } from './overrides.js';
import { type Problem, throwProblems } from './problems.js';
import { withRecipe } from './recipes.js';
import { nonStrictPaths } from './schema-tools.js';
import { lookUp, mergeTrees, type Origin, plainOf, type Tree } from './tree.js';

/** What a configuration is made from. */
export interface LoadConfigOptions<S extends z.ZodType> {
  /** Strict at every level; its `.default()` values are the lowest layer. */
  readonly schema: S;
  /** Path of a YAML file, relative to the working directory. */
  readonly file?: string | undefined;
  /** YAML to use instead of the file's content; `file` (or "config") then only names it and anchors its `extends:`. */
  readonly text?: string | undefined;
  /** `--set` arguments in order, each `key.path=value`. */
  readonly sets?: readonly string[] | undefined;
  /** Values of named flags by dotted key path; undefined means the flag was not given. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
  /** How a flag is typed, by key path, where it is not `--` and the last key of the path. */
  readonly flagNames?: Readonly<Record<string, string>> | undefined;
}

/** Settings as they were written, not checked yet. */
export interface ReadSettings {
  readonly tree: Tree;
  /** What went wrong so far; more may be added. */
  readonly problems: Problem[];
  /** A file could not be read, so keys may be missing that are not at fault. */
  readonly incomplete: boolean;
}

/**
 * Reads and merges all layers.
 *
 * @throws TypeError when the schema lets unknown keys pass: a bug.
 */
export function readSettings<S extends z.ZodType>(options: LoadConfigOptions<S>): ReadSettings {
  const { schema, file, text, sets = [], flags = {}, flagNames = {} } = options;
  const open = nonStrictPaths(schema);
  if (open.length > 0) throw new TypeError(`loadConfig: the schema lets unknown keys pass at ${open.join(', ')}`);

  const problems: Problem[] = [];
  const json = inputSchema(schema);
  const reader = new FileReader(problems);
  const layers = file === undefined && text === undefined ? [] : reader.read(file ?? 'config', text);
  const incomplete = problems.length > 0;

  let layer = reader.layers;
  const top: Origin = { text: file ?? (text === undefined ? 'command line' : 'config'), layer: 0, line: 0, column: 0 };
  let tree: Tree = layers.reduce(mergeTrees, { kind: 'map', origin: top, entries: new Map() });
  const target = { schema: json, problems };
  for (const argument of sets) tree = applySet(tree, argument, ++layer, target);
  for (const [path, value] of Object.entries(flags)) {
    const name = flagNames[path] ?? `--${path.slice(path.lastIndexOf('.') + 1).replaceAll('_', '-')}`;
    if (value !== undefined) tree = applyFlag(tree, name, path, value, ++layer, target);
  }
  return { tree: withoutReplaced(tree, reader.layers), problems, incomplete };
}

/**
 * Checks a tree and notes what is wrong with it.
 *
 * @param name how a path appears in messages, where it is not that of the tree.
 * @returns the checked settings, or undefined when there are problems.
 */
export function checkSettings<S extends z.ZodType>(
  schema: S,
  { tree, problems, incomplete }: ReadSettings,
  name?: (path: readonly PropertyKey[]) => string,
): z.output<S> | undefined {
  const result = schema.safeParse(plainOf(tree));
  // Keys missing because their file could not be read would bury the one line that helps.
  const issues = (result.error?.issues ?? []).filter(
    (issue) => !incomplete || lookUp(tree, issue.path).node !== undefined,
  );
  problems.push(...problemsOf(issues, tree, inputSchema(schema), name));
  return result.data;
}

/**
 * The checked settings.
 *
 * @throws {ConfigError} with one line per problem, all of them at once.
 */
export function loadConfig<S extends z.ZodType>(options: LoadConfigOptions<S>): z.output<S> {
  const read = readSettings(options);
  const tree = withRecipe(read.tree, inputSchema(options.schema));
  const config = checkSettings(options.schema, { ...read, tree });
  throwProblems(read.problems);
  if (config === undefined) throw new Error('internal: a configuration was refused without a problem');
  return config;
}
