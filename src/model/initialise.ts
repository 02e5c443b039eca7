/** Values of a new ViT, as DeiT initialises it (Touvron et al. 2021; timm's vision_transformer). */
import { createRng } from '../base/rng.js';
import { parameterShapes } from './parameters.js';
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
  const values = new Map<string, Float32Array>();
  const fill = initialiser(spec, seed);
  for (const [name, shape] of parameterShapes(spec)) {
    const tensor = new Float32Array(shape.reduce((product, size) => product * size, 1));
    fill(name, tensor);
    values.set(name, tensor);
  }
  return values;
}

/** The same tensor by tensor: a function that writes the values of the named parameter into an array of its size. */
export function initialiser(spec: ModelSpec, seed: number): (name: string, out: Float32Array) => void {
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

function isNorm(name: string): boolean {
  return /(^|\.)(fc_)?norm\d?\./.test(name);
}

function draw(tensor: Float32Array, next: () => number): void {
  for (let i = 0; i < tensor.length; i++) tensor[i] = next();
}
