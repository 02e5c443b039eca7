/** Which parameters a run leaves as they are: the list `train.freeze`. */
import { ConfigError } from '../base/errors.js';
import { isEmbedding, isHead, isNorm, parameterShapes } from '../model/parameters.js';
import type { ModelSpec } from '../model/spec.js';

/** Names of many parameters at once. */
const GROUPS: ReadonlyMap<string, (name: string) => boolean> = new Map([
  ['embeddings', isEmbedding],
  ['norms', isNorm],
  ['head', isHead],
]);

/** What an entry may look like: names with dots in between, of which one may be a range of blocks. */
export const FREEZE_ENTRY = /^[a-z]\w*(\.\d+-\d+)?(\.\w+)*$/;

/** First and last block, the latter included. */
type Range = readonly [number, number];

/**
 * The parameters that entries name. An entry is a group (`embeddings`, `norms`, `head`), or a timm name or the beginning
 * of one up to a dot (`pos_embed`, `patch_embed`, `blocks.2.attn`). The number of the block may be a range
 * (`blocks.0-3`, the last included) or be left out (`blocks`, `blocks.mlp`: those of all blocks).
 *
 * @throws ConfigError when an entry names nothing in this model, or nothing is left to train.
 */
export function frozenParameters(spec: ModelSpec, entries: readonly string[]): ReadonlySet<string> {
  const names = [...parameterShapes(spec).keys()];
  const frozen = new Set<string>();
  for (const entry of entries) {
    checkBlocks(entry, spec.depth);
    const isNamed = matcher(entry);
    const found = names.filter(isNamed);
    if (found.length === 0) {
      throw new ConfigError(
        `train.freeze: "${entry}" names no parameter of the model; give embeddings, norms, head, blocks, blocks.0-3 ` +
          'or the beginning of a name, such as patch_embed or blocks.2.attn',
      );
    }
    for (const name of found) frozen.add(name);
  }
  if (frozen.size === names.length) {
    throw new ConfigError(`train.freeze: [${entries.join(', ')}] leaves no parameter to train; leave some out`);
  }
  return frozen;
}

function matcher(entry: string): (name: string) => boolean {
  const group = GROUPS.get(entry);
  if (group) return group;
  const range = blockRange(entry);
  const [first, ...rest] = entry.split('.');
  const begins = (name: string, beginning: string) => name === beginning || name.startsWith(`${beginning}.`);
  if (first !== 'blocks') return (name) => begins(name, entry);
  const inner = ['blocks', ...(range ? rest.slice(1) : rest)].join('.');
  return (name) => {
    const block = /^blocks\.(\d+)\./.exec(name)?.[1];
    if (block === undefined) return false;
    const isIn = !range || (Number(block) >= range[0] && Number(block) <= range[1]);
    return isIn && begins(name.replace(`blocks.${block}.`, 'blocks.'), inner);
  };
}

/** The blocks that an entry gives by number. */
function blockRange(entry: string): Range | undefined {
  const match = /^blocks\.(\d+)(?:-(\d+))?(?:\.|$)/.exec(entry);
  return match ? [Number(match[1]), Number(match[2] ?? match[1])] : undefined;
}

function checkBlocks(entry: string, depth: number): void {
  const range = blockRange(entry);
  if (!range || (range[0] <= range[1] && range[1] < depth)) return;
  if (range[0] > range[1]) throw new ConfigError(`train.freeze: "${entry}" runs backwards; put the lower block first`);
  const has = depth === 1 ? 'only block is 0' : `blocks are 0 to ${depth - 1}`;
  throw new ConfigError(`train.freeze: "${entry}" names a block that the model does not have; its ${has}`);
}
