/**
 * The one source of random numbers. A generator is a pure function of a seed and a stream name such as
 * `('shuffle', epoch)` or `('augment', epoch, sample)`, so no state has to be saved to resume a run and no draw depends
 * on how many draws came before it elsewhere. Generator: xoshiro128** 1.1 (Blackman & Vigna 2021), started from the
 * first 128 bits of SHA-256 over the seed and the stream name.
 */
import { createHash } from 'node:crypto';
import { normalCdf, normalQuantile } from './normal.js';

/** Four 32-bit words, not all zero. */
export type RngState = readonly [number, number, number, number];

const TWO_32 = 2 ** 32;

/** A seeded generator of pseudo-random numbers, the same on every machine; not for cryptography. */
export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  // Probabilities at the bounds of the truncated normal asked for last: a weight tensor asks for the same one each time.
  #truncated = { std: Number.NaN, lo: Number.NaN, hi: Number.NaN, from: 0, to: 1 };

  /** @param state the 128 bits to start from; most callers want `createRng`. */
  constructor(state: RngState) {
    [this.#a, this.#b, this.#c, this.#d] = state.map((word) => word | 0);
  }

  /** Uniform integer in [0, 2^32). */
  uint32(): number {
    const fiveB = Math.imul(this.#b, 5);
    const result = Math.imul((fiveB << 7) | (fiveB >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform number in [0, 1) with 53 random bits (two 32-bit draws). */
  uniform(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /**
   * Uniform integer in [0, n), without the bias of a plain remainder.
   *
   * @param n whole number from 1 to 2^32.
   */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_32) throw new RangeError(`Rng.int: n must be in 1..2^32, got ${n}`);
    const limit = TWO_32 - (TWO_32 % n);
    let draw = this.uint32();
    while (draw >= limit) draw = this.uint32();
    return draw % n;
  }

  /** A draw from the standard normal distribution, by inversion: one draw always costs two 32-bit numbers. */
  normal(): number {
    return normalQuantile(this.#open());
  }

  /**
   * A draw from the normal distribution of mean 0 and deviation `std`, conditioned on [lo, hi]. As in timm's and
   * PyTorch's `trunc_normal_`, the bounds are values, not multiples of `std`. They may exclude the centre, up to about 8 `std` away from it; farther out
   * every draw is the nearer bound.
   *
   * @param std standard deviation before truncation, above 0.
   */
  truncatedNormal(std: number, lo: number, hi: number): number {
    if (!(std > 0 && lo < hi)) {
      throw new RangeError(`Rng.truncatedNormal: needs std > 0 and lo < hi, got ${std}, ${lo}, ${hi}`);
    }
    let cut = this.#truncated;
    if (cut.std !== std || cut.lo !== lo || cut.hi !== hi) {
      cut = { std, lo, hi, from: normalCdf(lo / std), to: normalCdf(hi / std) };
      this.#truncated = cut;
    }
    const value = std * normalQuantile(cut.from + this.#open() * (cut.to - cut.from));
    return Math.min(Math.max(value, lo), hi);
  }

  /** Puts `items` into a uniformly random order, in place (Fisher-Yates). */
  shuffle<T extends Int32Array | Uint32Array | Uint8Array>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const held = items[i];
      items[i] = items[j];
      items[j] = held;
    }
    return items;
  }

  /** Uniform in (0, 1), 52 bits: the centres of 2^52 equal cells, each exact in a double, so neither end is hit. */
  #open(): number {
    const high = this.uint32() >>> 6;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low + 0.5) / 2 ** 52;
  }
}

/**
 * The generator of one stream. Streams of different seeds or names are independent; the same arguments give the same
 * numbers. A number and its text are different names: `createRng(0, 1)` is not `createRng(0, '1')`.
 *
 * @param seed whole number (the run's seed).
 * @param stream what the numbers are for, then whatever they depend on: `createRng(seed, 'augment', epoch, sample)`.
 */
export function createRng(seed: number, ...stream: (string | number)[]): Rng {
  for (const part of [seed, ...stream]) {
    if (typeof part === 'number' && !Number.isSafeInteger(part)) {
      throw new RangeError(`createRng: numbers must be whole and safe, got ${part}`);
    }
  }
  const digest = createHash('sha256')
    .update(JSON.stringify([seed, ...stream]))
    .digest();
  return new Rng([digest.readUInt32LE(0), digest.readUInt32LE(4), digest.readUInt32LE(8), digest.readUInt32LE(12)]);
}
