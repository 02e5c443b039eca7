/** `--set a.b=c` and named flags, laid over the settings of the files. */
import { LineCounter } from 'yaml';
import { acceptsList, type JsonSchema } from './expected.js';
import { oneLine, type Problem, quoted } from './problems.js';
import { type MapEntry, type MapTree, mergeTrees, type Origin, PRIVATE_PREFIX, type Tree, treeOf } from './tree.js';
import { parseYaml } from './yaml-tree.js';

/** What a setting is laid over, and where problems go. */
interface Target {
  readonly schema: JsonSchema;
  readonly problems: Problem[];
}

/**
 * Applies one `--set` argument.
 *
 * @param argument `key.path=value`, split at the first `=`; the value is a YAML scalar, `[a, b]` or `{a: 1}`.
 * @param layer number of this layer, for sorting problems.
 */
export function applySet(tree: Tree, argument: string, layer: number, target: Target): Tree {
  const origin: Origin = { text: `--set ${oneLine(argument)}`, layer, line: 0, column: 0 };
  const split = argument.indexOf('=');
  const segments = argument.slice(0, split).split('.');
  const refuse = (message: string): Tree => {
    target.problems.push({ origin, path: '', message });
    return tree;
  };
  if (split < 0) return refuse('expected key.path=value, found no "="');
  if (segments.some((segment) => segment.trim() !== segment || segment === '' || segment === '__proto__')) {
    return refuse(`${quoted(argument.slice(0, split))} is not a key path such as train.lr`);
  }
  const text = argument.slice(split + 1);
  const before = target.problems.length;
  const value = parseYaml(text, () => origin, target.problems, new LineCounter());
  if (target.problems.length > before) return tree;
  // A block list or mapping on one line is nearly always a forgotten quote: `--set note=a: b`.
  if (value !== undefined && value.kind !== 'scalar' && !/^\s*[[{]/.test(text)) {
    return refuse('write a list as [a, b], a mapping as {a: 1} and text with ": " or "- " in quotes');
  }
  const leaf: Tree = value ?? { kind: 'scalar', origin, value: null };
  return setAt(tree, segments, 0, leaf, origin, target) ?? tree;
}

/**
 * Applies one named flag.
 *
 * @param name the flag as typed, for messages: `--lr`.
 * @param path key path of the setting it stands for.
 */
export function applyFlag(tree: Tree, name: string, path: string, value: unknown, layer: number, target: Target): Tree {
  const shown = typeof value === 'object' ? JSON.stringify(value) : String(value);
  const origin: Origin = { text: `${name}=${oneLine(shown)}`, layer, line: 0, column: 0 };
  return setAt(tree, path.split('.'), 0, treeOf(value, origin), origin, target) ?? tree;
}

/** @returns `tree` with `leaf` at `path`, or undefined if the path leads nowhere (the problem is noted). */
function setAt(
  tree: Tree | undefined,
  path: readonly string[],
  depth: number,
  leaf: Tree,
  origin: Origin,
  target: Target,
): Tree | undefined {
  if (depth === path.length) return tree === undefined ? leaf : mergeTrees(tree, leaf);
  const key = path[depth];
  const isIndex = /^\d+$/.test(key);
  if (
    isIndex &&
    (tree?.kind === 'list' || (tree?.kind !== 'map' && acceptsList(target.schema, path.slice(0, depth))))
  ) {
    const items = tree?.kind === 'list' ? [...tree.items] : undefined;
    const index = Number(key);
    if (items === undefined || index > items.length) {
      const list = path.slice(0, depth).join('.');
      const has = items === undefined ? 'is not given, so it has no items' : `has ${items.length} items`;
      target.problems.push({ origin, path: '', message: `${list} ${has}; set the whole list: ${list}=[...]` });
      return undefined;
    }
    const item = setAt(items[index], path, depth + 1, leaf, origin, target);
    if (item === undefined) return undefined;
    items[index] = item;
    return { kind: 'list', origin: tree?.origin ?? origin, items };
  }
  if (key.startsWith(PRIVATE_PREFIX)) return tree ?? { kind: 'map', origin, entries: new Map() };
  const map: MapTree = tree?.kind === 'map' ? tree : { kind: 'map', origin, entries: new Map() };
  const value = setAt(map.entries.get(key)?.value, path, depth + 1, leaf, origin, target);
  if (value === undefined) return undefined;
  const entry: MapEntry = { keyOrigin: origin, value };
  return { ...map, entries: new Map(map.entries).set(key, entry) };
}
