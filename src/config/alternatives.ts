/** Settings of a block of which only one is given: a layer that gives one does without the other of the layers below. */
import { type MapEntry, type MapTree, plainOf, type Tree } from './tree.js';

const ALTERNATIVES: ReadonlyMap<string, readonly string[]> = new Map([
  ['train', ['epochs', 'steps']],
  ['data', ['limit', 'fraction']],
]);

/**
 * A block of a lower layer without what the layer above has given in another way.
 *
 * @param key that both stand under: `train`
 * @param above the block of the upper layer, if it has one
 */
export function withoutDisplaced(key: string, below: Tree, above: Tree | undefined): Tree {
  const alternatives = ALTERNATIVES.get(key) ?? [];
  if (below.kind !== 'map' || above?.kind !== 'map') return below;
  const isGiven = (name: string) => {
    const node = above.entries.get(name)?.value;
    return node !== undefined && plainOf(node) !== null;
  };
  const displaced = (name: string) =>
    alternatives.includes(name) && alternatives.some((other) => other !== name && isGiven(other));
  return { ...below, entries: new Map([...below.entries].filter(([name]) => !displaced(name))) };
}

/**
 * A tree without what files have given in one way and the command line in another. Both ways in one place stay, to be
 * refused.
 *
 * @param lastFile the highest layer of a file
 */
export function withoutReplaced(tree: Tree, lastFile: number): Tree {
  if (tree.kind !== 'map') return tree;
  const entries = [...tree.entries].map(([key, entry]): [string, MapEntry] => {
    const value = withoutReplaced(entry.value, lastFile);
    const names = ALTERNATIVES.get(key);
    return [key, { ...entry, value: names && value.kind === 'map' ? ownOf(value, names, lastFile) : value }];
  });
  return { ...tree, entries: new Map(entries) };
}

function ownOf(block: MapTree, names: readonly string[], lastFile: number): MapTree {
  const isGiven = ({ value }: MapEntry) => plainOf(value) !== null;
  const isTyped = ({ value }: MapEntry) => value.origin.layer > lastFile;
  const wins = names.find((name) => {
    const entry = block.entries.get(name);
    return entry !== undefined && isTyped(entry) && isGiven(entry);
  });
  const isReplaced = (name: string, entry: MapEntry) =>
    wins !== undefined && name !== wins && names.includes(name) && !isTyped(entry);
  return { ...block, entries: new Map([...block.entries].filter(([name, entry]) => !isReplaced(name, entry))) };
}
