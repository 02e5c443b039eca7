/** Tensors of ViT variants that compute something else than a plain ViT. */
import { ModelError } from '../../base/errors.js';
import { printable } from '../../base/text.js';

const VARIANTS: readonly [RegExp, string][] = [
  [/\.ls[12]\.gamma$|\.layer_scale\d?\.|\.gamma_[12]$/, 'layer scale'],
  [/\.attn\.[qk]_norm\./, 'query-key norm'],
  [/(^|\.)norm_pre\./, 'a norm before the blocks'],
  [/(^|\.)(rope|freqs)/, 'rotary positions'],
  [/\.mlp\.(fc1_g|fc1_x|w12)\./, 'a gated MLP'],
  [/relative_position_bias/, 'relative positions'],
  [/(^|\.)attn_pool\./, 'attention pooling'],
];

/**
 * To be asked before anything else is said of a file: what is missing or too many in a variant follows from its kind.
 *
 * @throws ModelError naming the first.
 */
export function checkVariant(names: Iterable<string>, source: string): void {
  for (const name of names) {
    const variant = VARIANTS.find(([pattern]) => pattern.test(name));
    if (!variant) continue;
    throw new ModelError(
      `${source}: tensor ${printable(name)} is of a ViT with ${variant[1]}, which this version cannot run; name a plain ` +
        'ViT or DeiT',
    );
  }
}
