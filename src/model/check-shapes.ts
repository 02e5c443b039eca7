/** Whether a file holds exactly the parameters of a model, and what is said when it does not. */
import { ModelError } from '../base/errors.js';
import type { Shapes } from './formats/recognise.js';
import { parameterShapes } from './parameters.js';
import type { ModelSpec } from './spec.js';

/** Tensors of ViT variants that compute something else than a plain ViT. */
const UNSUPPORTED: readonly [RegExp, string][] = [
  [/\.ls[12]\.gamma$|\.layer_scale\d?\.|\.gamma_[12]$/, 'layer scale'],
  [/\.attn\.[qk]_norm\./, 'query-key norm'],
  [/(^|\.)norm_pre\./, 'a norm before the blocks'],
  [/(^|\.)(rope|freqs)/, 'rotary positions'],
  [/\.mlp\.(fc1_g|fc1_x|w12)\./, 'a gated MLP'],
  [/relative_position_bias/, 'relative positions'],
  [/(^|\.)attn_pool\./, 'attention pooling'],
];

/**
 * @param inFile the tensors of the file that make a parameter, for messages
 * @throws ModelError when `shapes` are not exactly the parameters of `spec`: the first that is missing, of another shape
 * or too many is named.
 */
export function checkShapes(
  spec: ModelSpec,
  shapes: Shapes,
  source: string,
  inFile: (parameter: string) => readonly string[] = (parameter) => [parameter],
): void {
  const expected = parameterShapes(spec);
  const called = (name: string) => inFile(name).join(' and ') || name;
  for (const [name, shape] of expected) {
    const found = shapes.get(name);
    if (!found) throw new ModelError(`${source}: tensor ${called(name)} [${shape.join(', ')}] is missing`);
    if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis])) {
      throw new ModelError(`${source}: ${called(name)} must be [${shape.join(', ')}], found [${found.join(', ')}]`);
    }
  }
  checkUnknown(
    [...shapes.keys()].filter((name) => !expected.has(name)),
    source,
  );
}

/** @throws ModelError naming the first. */
export function checkUnknown(names: readonly string[], source: string): void {
  const [name] = names;
  if (name === undefined) return;
  const variant = UNSUPPORTED.find(([pattern]) => pattern.test(name));
  const what = variant ? `a ViT with ${variant[1]}` : 'not part of a plain ViT or DeiT';
  throw new ModelError(`${source}: tensor ${name} is ${what}, which this version cannot run`);
}
