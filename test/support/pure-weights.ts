/**
 * Tensors that are a pure function of their name, so that expected numbers need no stored weights. The same function in
 * Python, and what it computes: scripts/fixtures/pure_weights.py.
 */

/** `count` well-mixed 32-bit numbers: FNV-1a of the name, a Weyl sequence, murmur3's finaliser. */
function* bits(name: string, count: number): Generator<number> {
  let start = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) start = Math.imul(start ^ byte, 0x01000193);
  for (let i = 0; i < count; i++) {
    let x = (start + Math.imul(i, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    yield (x ^ (x >>> 16)) >>> 0;
  }
}

/** `centre + scale * u`, u uniform in [-1, 1). */
export function uniform(name: string, count: number, { centre = 0, scale = 1 } = {}): Float32Array {
  const values = new Float32Array(count);
  let i = 0;
  for (const number of bits(name, count)) values[i++] = centre + scale * (number / 2 ** 31 - 1);
  return values;
}

/** Uniform numbers of variance 1, for inputs. */
export function normalSized(name: string, count: number): Float32Array {
  return uniform(name, count, { scale: Math.sqrt(3) });
}

export function labels(name: string, count: number, classes: number): number[] {
  return [...bits(name, count)].map((number) => number % classes);
}

/** A parameter of a ViT: matrices keep the variance of what goes through them, so that logits are of order 1. */
export function parameter(name: string, shape: readonly number[]): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  if (name.endsWith('.weight') && shape.length > 1) {
    return uniform(name, count, { scale: Math.sqrt(3 / (count / shape[0])) });
  }
  if (name.endsWith('.weight')) return uniform(name, count, { centre: 1, scale: 0.2 });
  return uniform(name, count, { scale: name.endsWith('.bias') ? 0.1 : 0.5 });
}

/** All parameters of a model of these shapes. */
export function parameters(shapes: ReadonlyMap<string, readonly number[]>): Map<string, Float32Array> {
  return new Map([...shapes].map(([name, shape]) => [name, parameter(name, shape)]));
}
