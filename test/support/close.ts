/** Comparison of tensors with explicit tolerances. */
import { expect } from 'vitest';

export interface Tolerance {
  /** On the 2-norm of the difference over the 2-norm of what is expected. */
  readonly relative?: number;
  /** On every element's difference. */
  readonly absolute?: number;
}

const norm = (values: ArrayLike<number>): number => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));

/** Fails with the tensor's name and its largest error. */
export function expectClose(
  what: string,
  actual: ArrayLike<number> | undefined,
  expected: ArrayLike<number>,
  { relative, absolute }: Tolerance,
): void {
  expect(actual?.length, `${what}: number of elements`).toBe(expected.length);
  const found = actual as ArrayLike<number>;
  const difference = Array.from(expected, (value, i) => found[i] - value);
  const worst = difference.reduce((most, x) => (Math.abs(x) > most || Number.isNaN(x) ? Math.abs(x) : most), 0);
  if (absolute !== undefined) expect(worst, `${what}: largest difference`).toBeLessThanOrEqual(absolute);
  if (relative !== undefined) {
    expect(norm(difference) / norm(expected), `${what}: relative difference`).toBeLessThanOrEqual(relative);
  }
}
