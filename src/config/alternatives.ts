/** Settings of a block of which only one is given: a layer that gives one does without the other of the layers below. */
import { plainOf, type Tree } from './tree.js';

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
