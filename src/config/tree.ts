/**
 * Settings as a tree in which every key and value remembers where it was written, so that a problem found after all
 * layers are merged still points at a line. Mappings are `Map`s: a key named `__proto__` is only a name here.
 */

/** Where a key or value was written. */
export interface Origin {
  /** `file.yaml:12:5`, `--set train.lr=abc` or `--lr=abc`. */
  readonly text: string;
  /** Order of the layers as they were read; then line and column (1-based, 0 off a file). They sort the problems. */
  readonly layer: number;
  readonly line: number;
  readonly column: number;
}

export interface MapEntry {
  readonly keyOrigin: Origin;
  readonly value: Tree;
}

export interface MapTree {
  readonly kind: 'map';
  readonly origin: Origin;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface ListTree {
  readonly kind: 'list';
  readonly origin: Origin;
  readonly items: readonly Tree[];
}

export interface ScalarTree {
  readonly kind: 'scalar';
  readonly origin: Origin;
  readonly value: string | number | boolean | null;
}

export type Tree = MapTree | ListTree | ScalarTree;

/** Keys that begin so belong to the user: kept out of the settings at every level. */
export const PRIVATE_PREFIX = 'x-';

/** Lays `over` on `base`: mappings merge key by key, anything else (lists too) is replaced whole. */
export function mergeTrees(base: Tree, over: Tree): Tree {
  if (base.kind !== 'map' || over.kind !== 'map') return over;
  const entries = new Map(base.entries);
  for (const [key, entry] of over.entries) {
    const below = entries.get(key);
    entries.set(key, below ? { ...entry, value: mergeTrees(below.value, entry.value) } : entry);
  }
  return { ...base, entries };
}

/** As {@link mergeTrees}, but mappings keep the places of `tree`: what `below` adds is not what was written. */
export function layUnder(below: Tree, tree: Tree): Tree {
  if (below.kind !== 'map' || tree.kind !== 'map') return tree;
  const entries = new Map(below.entries);
  for (const [key, entry] of tree.entries) {
    const under = below.entries.get(key);
    entries.set(key, under ? { ...entry, value: layUnder(under.value, entry.value) } : entry);
  }
  return { ...tree, entries };
}

/** Turns a plain value (strings, numbers, booleans, null, lists, plain objects) into a tree of one origin. */
export function treeOf(value: unknown, origin: Origin): Tree {
  if (Array.isArray(value)) return { kind: 'list', origin, items: value.map((item) => treeOf(item, origin)) };
  if (typeof value === 'object' && value !== null) {
    const entries = new Map<string, MapEntry>();
    for (const [key, inner] of Object.entries(value)) {
      if (inner !== undefined && !key.startsWith(PRIVATE_PREFIX)) {
        entries.set(key, { keyOrigin: origin, value: treeOf(inner, origin) });
      }
    }
    return { kind: 'map', origin, entries };
  }
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'scalar', origin, value };
  }
  throw new TypeError(`${origin.text}: settings are text, numbers, true, false, null, lists or mappings`);
}

/** The plain value of a tree. Every key becomes an own property, whatever its name. */
export function plainOf(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(plainOf);
  return Object.fromEntries([...tree.entries].map(([key, entry]) => [key, plainOf(entry.value)]));
}

/** The place named by `path`: the node there (if it was written) and the innermost origin on the way to it. */
export function lookUp(tree: Tree, path: readonly PropertyKey[]): { node: Tree | undefined; origin: Origin } {
  let node = tree;
  for (const segment of path) {
    const next =
      node.kind === 'map'
        ? node.entries.get(String(segment))?.value
        : node.kind === 'list'
          ? node.items[Number(segment)]
          : undefined;
    if (next === undefined) return { node: undefined, origin: node.origin };
    node = next;
  }
  return { node, origin: node.origin };
}
