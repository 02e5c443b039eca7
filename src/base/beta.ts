/** Draws from the Beta distribution, by way of two Gamma draws; exact, and also far below a parameter of 1. */
import type { Rng } from './rng.js';

/**
 * The natural logarithm of a draw from the Gamma distribution of scale 1: small shapes give numbers that a double cannot
 * hold, and their logarithms it can. By rejection (Marsaglia & Tsang 2000); a shape below 1 by way of the next higher one.
 *
 * @param shape above 0
 */
export function drawLogGamma(rng: Rng, shape: number): number {
  if (!(shape > 0)) throw new RangeError(`drawLogGamma: the shape must be above 0, got ${shape}`);
  // In (0, 1]: its logarithm is finite.
  const open = () => 1 - rng.uniform();
  if (shape < 1) return drawLogGamma(rng, shape + 1) + Math.log(open()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = rng.normal();
    const root = 1 + c * x;
    if (root <= 0) continue;
    const logV = 3 * Math.log(root);
    if (Math.log(open()) < 0.5 * x * x + d - d * root ** 3 + d * logV) return Math.log(d) + logV;
  }
}

/**
 * A draw from the Beta distribution, in [0, 1].
 *
 * @param a above 0
 * @param b above 0
 */
export function drawBeta(rng: Rng, a: number, b: number): number {
  const own = drawLogGamma(rng, a);
  return 1 / (1 + Math.exp(drawLogGamma(rng, b) - own));
}
