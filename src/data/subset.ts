/**
 * A smaller training set with every class in it. Which images are taken is a pure function of the labels and the seed,
 * and for one seed a smaller subset lies within a larger one.
 */
import { ConfigError } from '../base/errors.js';
import { createRng } from '../base/rng.js';
import type { Labels } from './source.js';

/** How much to take; at most one of the two. */
export interface SubsetOptions {
  /** Number of images: `floor(limit / classes)` of every class, and one more of as many classes as are left over. */
  readonly limit: number | null;
  /** Share of each class, 0 < fraction <= 1, rounded half up to whole images, at least one of a class that has any. */
  readonly fraction: number | null;
}

/**
 * Picks a class-balanced subset.
 *
 * @param labels `[count]`, each below `classes`.
 * @returns positions in `labels`, ascending; all of them if neither option is given.
 * @throws {ConfigError} if a class has fewer images than its share of `limit`.
 */
export function balancedSubset(labels: Labels, classes: number, options: SubsetOptions, seed: number): Uint32Array {
  const { limit, fraction } = options;
  if (limit === null && fraction === null) return Uint32Array.from(labels, (_, index) => index);
  const members = membersByClass(labels, classes);
  const wanted =
    limit !== null
      ? equalShares(limit, classes, seed)
      : members.map(({ length }) => (length === 0 ? 0 : Math.max(1, Math.round((fraction ?? 1) * length))));
  if (limit !== null) checkShares(limit, wanted, members);
  const chosen = members.flatMap((positions, label) => [
    ...createRng(seed, 'subset', label).shuffle(positions).subarray(0, wanted[label]),
  ]);
  return Uint32Array.from(chosen).sort();
}

function membersByClass(labels: Labels, classes: number): Uint32Array[] {
  const members: number[][] = Array.from({ length: classes }, () => []);
  for (let i = 0; i < labels.length; i++) members[labels[i]].push(i);
  return members.map((positions) => Uint32Array.from(positions));
}

function equalShares(limit: number, classes: number, seed: number): number[] {
  const shares = new Array<number>(classes).fill(Math.floor(limit / classes));
  const order = Uint32Array.from(shares, (_, label) => label);
  createRng(seed, 'subset', 'remainder').shuffle(order);
  for (const label of order.subarray(0, limit % classes)) shares[label]++;
  return shares;
}

function checkShares(limit: number, wanted: readonly number[], members: readonly Uint32Array[]): void {
  const short = members.findIndex(({ length }, label) => length < wanted[label]);
  if (short < 0) return;
  const largest = members.reduce((least, { length }) => Math.min(least, length), Infinity) * members.length;
  throw new ConfigError(
    `data.limit: ${limit} images in equal parts need ${wanted[short]} of class ${short}, which has ${members[short].length}; ` +
      `the largest limit is ${largest}, or use data.fraction`,
  );
}
