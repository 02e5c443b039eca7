/** Values of a new ViT, as DeiT initialises it (Touvron et al. 2021; timm's vision_transformer). */
import { createRng } from '../base/rng.js';
import { collect, type Fill } from './fill.js';
import { isNorm } from './parameters.js';
import { geometry, type ModelSpec } from './spec.js';

/** Standard deviation of linear weights, tokens and position embedding. */
const STD = 0.02;
/** Bounds of the truncated normal: timm truncates at absolute values, not at multiples of the deviation. */
const BOUND = 2;

/**
 * Linear weights, tokens and positions from a truncated normal of deviation 0.02; patch embedding uniform within
 * 1/sqrt(fan-in), weight and bias, as PyTorch's Conv2d; other biases 0; norm scales 1. Each tensor has its own random
 * stream, so its values do not depend on the model's depth.
 *
 * @returns values by timm name, in the order of `parameterShapes`.
 */
export function initialise(spec: ModelSpec, seed: number): Map<string, Float32Array> {
  return collect(spec, initialiser(spec, seed));
}

/** The same tensor by tensor. */
export function initialiser(spec: ModelSpec, seed: number): Fill {
  const bound = 1 / Math.sqrt(geometry(spec).patchDim);
  return (name, out) => {
    const rng = createRng(seed, 'initialise', name);
    if (name.startsWith('patch_embed.')) {
      draw(out, () => (2 * rng.uniform() - 1) * bound);
    } else if (isNorm(name)) {
      out.fill(name.endsWith('.weight') ? 1 : 0);
    } else if (name.endsWith('.bias')) {
      out.fill(0);
    } else {
      draw(out, () => rng.truncatedNormal(STD, -BOUND, BOUND));
    }
  };
}

function draw(tensor: Float32Array, next: () => number): void {
  for (let i = 0; i < tensor.length; i++) tensor[i] = next();
}
